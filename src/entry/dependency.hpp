#pragma once
#include <cstddef>
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

/// What an entry at the server can note: the size of a dependency's name in bytes, and how many dependencies.
inline constexpr std::size_t kMaxDependencyBytes = 65535, kMaxDependencies = 65535;

/// A tag as both levels know it: one of over kMaxDependencyBytes by its head, '#' and a 128-bit hash, as long keys are.
/// A tag that spells such a name is the same tag: the worst that comes of it is an invalidation too many.
class TagName {
 public:
  /// `tag` outlives this.
  explicit TagName(std::string_view tag) noexcept : name_(tag) {
    if (tag.size() > kMaxDependencyBytes) shorten();
  }
  TagName(const TagName&) = delete;
  TagName& operator=(const TagName&) = delete;
  std::string_view view() const { return name_; }

 private:
  void shorten() noexcept;

  std::string_view name_;
  char shortened_[256];
};

/// The namespace's version, and those of functions, which are few. The namespace's name is "".
inline bool is_kept_for_ever(std::string_view dependency) {
  return dependency.empty() || dependency.starts_with(kFunctionMark);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
