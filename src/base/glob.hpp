#pragma once
#include <cstddef>
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

  /// Whether it matches some text that begins with `head`; may say yes where a class that nothing fits stands behind.
  bool can_begin_with(std::string_view head) const;
  /// Whether it matches some text of more than `bytes`.
  bool can_exceed(std::size_t bytes) const { return star_ || units_ > bytes; }
  /// Whether the first `bytes` of a longer text say if it matches: nothing but one '*' stands behind them.
  bool is_decided_by(std::size_t bytes) const { return star_ && star_at_end_ && units_ <= bytes; }
  /// What every text begins with that it matches: all before the first '*', '?' or class.
  std::string literal_head() const;

 private:
  std::string pattern_;
  std::size_t units_ = 0;  ///< parts that match one byte
  bool star_ = false;
  bool star_at_end_ = true;  ///< no part that matches one byte stands behind a '*'
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
