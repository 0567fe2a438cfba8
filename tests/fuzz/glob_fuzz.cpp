// A pattern and a text, separated by the first line end, against a matcher that is slow and obvious.
#include <bitset>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/error.hpp>
#include <dsta/cache/key_text.hpp>

#include "base/glob.hpp"
#include "fuzz.hpp"

namespace dsta::cache::fuzz {
namespace {

using Bytes = std::bitset<256>;

std::size_t index(char c) { return static_cast<unsigned char>(c); }

/// One part of a pattern: a star, or a byte of a set.
struct Part {
  bool star = false;
  Bytes bytes = {};
};

/// The parts; nothing for what is no pattern.
std::optional<std::vector<Part>> parse(std::string_view pattern) {
  if (pattern.empty()) return std::nullopt;
  std::vector<Part> parts;
  while (!pattern.empty()) {
    const char first = pattern[0];
    pattern.remove_prefix(1);
    Part part;
    if (first == '*') {
      part.star = true;
    } else if (first == '?') {
      part.bytes.set();
    } else if (first == '\\') {
      if (pattern.empty()) return std::nullopt;
      part.bytes.set(index(pattern[0]));
      pattern.remove_prefix(1);
    } else if (first == '[') {
      const bool negated = pattern.starts_with('^');
      if (negated) pattern.remove_prefix(1);
      for (;;) {
        if (pattern.empty()) return std::nullopt;
        const char c = pattern[0];
        pattern.remove_prefix(1);
        if (c == ']') break;
        if (c == '\\') {
          if (pattern.empty()) return std::nullopt;
          part.bytes.set(index(pattern[0]));
          pattern.remove_prefix(1);
        } else if (pattern.size() >= 2 && pattern[0] == '-') {
          auto low = index(c), high = index(pattern[1]);
          if (low > high) std::swap(low, high);
          for (; low <= high; ++low) part.bytes.set(low);
          pattern.remove_prefix(2);
        } else {
          part.bytes.set(index(c));
        }
      }
      if (negated) part.bytes.flip();
    } else {
      part.bytes.set(index(first));
    }
    parts.push_back(part);
  }
  return parts;
}

/// Which beginnings of the text the parts so far match; then one part more.
bool slow_matches(const std::vector<Part>& parts, std::string_view text) {
  std::vector<bool> now(text.size() + 1, false);
  now[0] = true;
  for (const Part& part : parts) {
    std::vector<bool> next(text.size() + 1, false);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (part.star) {
        next[i] = now[i] || (i > 0 && next[i - 1]);
      } else {
        next[i] = i > 0 && now[i - 1] && part.bytes.test(index(text[i - 1]));
      }
    }
    now = std::move(next);
  }
  return now.back();
}

}  // namespace

FUZZ_TARGET(glob) {
  const std::string_view pattern = input.substr(0, input.find('\n'));
  const std::string_view text = input.substr(pattern.size() + (pattern.size() < input.size() ? 1 : 0));
  const auto parts = parse(pattern);
  std::optional<detail::Glob> glob;
  try {
    glob.emplace(pattern);
  } catch (const PatternError&) {
  }
  require(glob.has_value() == parts.has_value(), "the matchers disagree about what is a pattern");
  if (glob) require(glob->matches(text) == slow_matches(*parts, text), "the matchers disagree");
  if (text.empty()) return;
  const detail::Glob itself(glob_escape(text));
  require(itself.matches(text), "an escaped text does not match itself");
  require(itself.matches(pattern) == (pattern == text), "an escaped text matches another");
}

}  // namespace dsta::cache::fuzz
