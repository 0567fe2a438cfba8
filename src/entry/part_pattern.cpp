#include "entry/part_pattern.hpp"

#include <algorithm>

#include <dsta/cache/key_text.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr auto npos = std::string_view::npos;

/// `name` between two ':' (or an end of the key), although it may have some itself.
bool has_given(std::string_view key, std::string_view name) {
  for (std::size_t at = key.find(name); at != npos; at = key.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at == 0 || key[at - 1] == ':') && (end == key.size() || key[end] == ':')) return true;
  }
  return false;
}

/// The type of an argument in brackets, which stands behind those of generic functions: see append_type.
bool is_type(std::string_view text) {
  return text.size() > 2 && text.front() == '(' && text.back() == ')' &&
         text.substr(1, text.size() - 2).find_first_not_of("0123456789bcdefhioprstuvxzCaT<>") == npos;
}

/// Without the marks of optionals in optionals and of variants: `!`, `1!`.
std::string_view without_marks(std::string_view part) {
  const std::size_t mark = part.find_first_not_of("0123456789!");
  const std::size_t end = part.substr(0, mark).rfind('!');
  return end == npos ? part : part.substr(end + 1);
}

/// Whether a part of a wrapper's key is `written`, or holds it in a list. In lists each element has a ',' behind it,
/// which what a type says has not.
bool is_or_holds(std::string_view part, std::string_view written) {
  part = without_marks(part);
  if (!part.starts_with('(')) {
    return part.starts_with(written) && (part.size() == written.size() || is_type(part.substr(written.size())));
  }
  for (std::size_t at = part.find(written, 1); at != npos; at = part.find(written, at + 1)) {
    const std::size_t end = at + written.size();
    if (std::string_view("(,!").find(part[at - 1]) != npos && end < part.size() && part[end] == ',') return true;
  }
  return false;
}

class PartPattern final : public KeyPattern {
 public:
  PartPattern(std::vector<std::string> prefixes, std::string_view name)
      : prefixes_(std::move(prefixes)), name_(name), written_(key_part(name)) {}

  std::vector<std::string> globs() const override {
    const std::string under = prefixes_.size() == 1 ? prefixes_[0] + ":" : first_bytes();
    std::string glob = prefixes_.size() == 1 ? glob_escape(under) : under;
    const std::string literal = common_text();
    if (literal.empty()) return {glob + "*"};
    const std::string long_ones = prefixes_.size() == 1 ? shortened_glob(under) : under + shortened_glob({});
    return {glob + "*" + glob_escape(literal) + "*", long_ones};
  }
  std::string text() const override {
    std::string text;
    for (const std::string& prefix : prefixes_) text.append(prefix).push_back(':');
    return text.append("*:").append(name_);
  }

 private:
  bool matches(std::string_view key) const override {
    return std::ranges::any_of(prefixes_, [&](const std::string& prefix) {
      return is_under(key, prefix) && has_part(key.substr(prefix.size() + 1), name_, written_);
    });
  }
  bool can_begin_with(std::string_view head) const override {
    return std::ranges::any_of(prefixes_, [&](const std::string& prefix) { return is_under(head, prefix); });
  }
  static bool is_under(std::string_view key, std::string_view prefix) {
    return key.size() > prefix.size() && key.starts_with(prefix) && key[prefix.size()] == ':';
  }

  /// A class of what the keys begin with: one walk over L2's keys then serves all prefixes.
  std::string first_bytes() const {
    std::string bytes = "[";
    for (const std::string& prefix : prefixes_) bytes += prefix[0];
    return bytes + "]";
  }
  /// The longest text that the name has in both of its forms.
  std::string common_text() const {
    if (written_ == name_) return name_;
    std::string longest, run;
    for (const char byte : name_) {
      const std::string_view one(&byte, 1);
      run = key_part(one) == one ? run + byte : std::string();
      if (run.size() > longest.size()) longest = run;
    }
    return longest;
  }

  const std::vector<std::string> prefixes_;
  const std::string name_, written_;
};

}  // namespace

bool has_part(std::string_view key, std::string_view name, std::string_view written) {
  if (has_given(key, name)) return true;
  for (std::size_t at = 0; at <= key.size();) {
    const std::size_t end = std::min(key.find(':', at), key.size());
    if (is_or_holds(key.substr(at, end - at), written)) return true;
    at = end + 1;
  }
  return false;
}

KeyPatternPtr part_pattern(std::vector<std::string> prefixes, std::string_view name) {
  return std::make_shared<PartPattern>(std::move(prefixes), name);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
