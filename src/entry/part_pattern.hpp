#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "entry/key_pattern.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Keys under one of the prefixes of which a whole part is `name`: as it is, as manual keys hold it, or as wrappers
/// write it, also within a list, an optional, a variant. `name` is not empty; nor are the prefixes, which are plain
/// text.
KeyPatternPtr part_pattern(std::vector<std::string> prefixes, std::string_view name);

/// Whether a whole part of `key` is `name`, which wrappers write as `written`.
bool has_part(std::string_view key, std::string_view name, std::string_view written);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
