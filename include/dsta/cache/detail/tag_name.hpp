#pragma once
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether `name` is a tag: not empty, and not beginning with the byte 0x01, which begins the library's own
/// dependencies. Any other name could never be invalidated, so entries are stored without it.
inline bool is_tag(std::string_view name) { return !name.empty() && name.front() != '\x01'; }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
