#pragma once
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A wrapped function as something that entries depend on. Tags of users do not begin so.
inline constexpr char kFunctionMark = '\x01';
inline std::string function_dependency(std::string_view identity_text) {
  return kFunctionMark + std::string(identity_text);
}

/// The namespace's version, and those of functions, which are few. The namespace's name is "".
inline bool is_kept_for_ever(std::string_view dependency) {
  return dependency.empty() || dependency.starts_with(kFunctionMark);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
