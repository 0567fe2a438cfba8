#pragma once
#include <string>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Text that nothing else of this process is, and nothing of another is likely to be. Thread-safe.
std::string new_nonce();

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
