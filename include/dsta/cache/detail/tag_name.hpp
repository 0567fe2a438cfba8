#pragma once
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A tag has a name, and a byte 1 begins what the library itself depends on. What is no tag can never be invalidated,
/// so entries go without it.
inline bool is_tag(std::string_view name) { return !name.empty() && name.front() != '\x01'; }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
