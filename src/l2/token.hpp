#pragma once
#include <cstdint>
#include <string>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Another process has another. Thread-safe.
std::uint64_t process_number();
/// Text that nothing else of this process is, and nothing of another is likely to be. Thread-safe.
std::string fresh_token();

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
