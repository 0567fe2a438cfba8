#pragma once
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A glob pattern as Redis knows it: `*`, `?`, `[abc]`, `[^a-z]`, `\` before a literal. Thread-safe.
/// Matching takes at most pattern × text steps, whatever the pattern.
class Glob {
 public:
  /// Throws PatternError: empty, an unclosed '[', a '\' at the end.
  explicit Glob(std::string_view pattern);
  bool matches(std::string_view text) const;

 private:
  std::string pattern_;
};

/// `text` as a pattern that matches only itself.
std::string glob_escape(std::string_view text);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
