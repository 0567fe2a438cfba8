#include "entry/key_pattern.hpp"

#include <dsta/cache/key_text.hpp>

#include "base/glob.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool is_shortened(std::string_view name) {
  return name.size() == kReadableKeyBytes && name[kShortenedHead] == '#' &&
         name.find_first_not_of("0123456789abcdef", kShortenedHead + 1) == std::string_view::npos;
}

namespace {

class GlobPattern final : public KeyPattern {
 public:
  explicit GlobPattern(std::string_view glob) : text_(glob), glob_(glob) {}

  std::vector<std::string> globs() const override {
    std::vector<std::string> globs{text_};
    // Where the head says it all, the glob itself finds the shortened names too.
    if (glob_.can_exceed(kReadableKeyBytes) && !glob_.is_decided_by(kShortenedHead)) {
      globs.push_back(shortened_glob(glob_.literal_head()));
    }
    return globs;
  }
  std::string text() const override { return text_; }
  bool is_glob() const override { return true; }

 private:
  bool matches(std::string_view key) const override { return glob_.matches(key); }
  bool can_begin_with(std::string_view head) const override {
    return glob_.can_exceed(kReadableKeyBytes) && glob_.can_begin_with(head);
  }

  const std::string text_;
  const Glob glob_;
};

}  // namespace

bool KeyPattern::concerns(std::string_view name, std::string_view full) const {
  if (matches(name)) return true;
  if (!full.empty()) return matches(full);
  return is_shortened(name) && can_begin_with(name.substr(0, kShortenedHead));
}

KeyPatternPtr glob_pattern(std::string_view glob) { return std::make_shared<GlobPattern>(glob); }

std::string shortened_glob(std::string_view head) {
  return glob_escape(head.substr(0, kShortenedHead)) + "*#" + std::string(kHashDigits, '?');
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
