#include "base/glob.hpp"

#include <algorithm>

#include <dsta/cache/error.hpp>
#include <dsta/cache/key_text.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Just past the ']' that closes the class opened at `open`; npos when nothing does. As in Redis, where the end of a
/// range may be any byte, ']' and '\' too.
std::size_t class_end(std::string_view pattern, std::size_t open) {
  std::size_t i = open + 1;
  if (i < pattern.size() && pattern[i] == '^') ++i;
  for (; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == ']') {
      return i + 1;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      i += 2;
    }
  }
  return std::string_view::npos;
}

/// `inside` is what stands between the brackets.
bool in_class(std::string_view inside, char c) {
  const bool negated = !inside.empty() && inside[0] == '^';
  if (negated) inside.remove_prefix(1);
  const auto byte = static_cast<unsigned char>(c);
  bool found = false;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '\\' && i + 1 < inside.size()) {
      found = found || inside[++i] == c;
    } else if (i + 2 < inside.size() && inside[i + 1] == '-') {
      auto low = static_cast<unsigned char>(inside[i]), high = static_cast<unsigned char>(inside[i + 2]);
      if (low > high) std::swap(low, high);
      found = found || (low <= byte && byte <= high);
      i += 2;
    } else {
      found = found || inside[i] == c;
    }
  }
  return found != negated;
}

}  // namespace

Glob::Glob(std::string_view pattern) : pattern_(pattern) {
  if (pattern.empty()) throw PatternError("the pattern is empty: '*' matches every key, flush_all() empties the cache");
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*') {
      star_ = true;
      continue;
    }
    ++units_;
    star_at_end_ = star_at_end_ && !star_;
    if (pattern[i] == '\\') {
      if (++i == pattern.size()) throw PatternError("the pattern ends in '\\': write '\\\\' for a backslash");
    } else if (pattern[i] == '[') {
      const std::size_t end = class_end(pattern, i);
      if (end == std::string_view::npos) {
        throw PatternError("the pattern has a '[' without ']' at position " + std::to_string(i) +
                           ": write '\\[' for a bracket, '\\-' for a '-' that ends a class");
      }
      i = end - 1;
    }
  }
}

namespace {

/// Whether the part of the pattern at `at`, which is no '*', matches the byte; moves `at` behind it.
bool unit_matches(std::string_view pattern, std::size_t& at, char byte) {
  const std::size_t here = at++;
  switch (pattern[here]) {
    case '?':
      return true;
    case '[':
      at = class_end(pattern, here);
      return in_class(pattern.substr(here + 1, at - here - 2), byte);
    case '\\':
      return pattern[at++] == byte;
    default:
      return pattern[here] == byte;
  }
}

}  // namespace

bool Glob::matches(std::string_view text) const {
  const std::string_view pattern = pattern_;
  std::size_t p = 0, t = 0;
  // Where to go on after a mismatch: the last '*' takes one byte more. Earlier stars need no retry.
  std::size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    std::size_t next = p;
    if (p < pattern.size() && unit_matches(pattern, next, text[t])) {
      p = next;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool Glob::can_begin_with(std::string_view head) const {
  std::size_t p = 0;
  for (const char byte : head) {
    if (p == pattern_.size()) return false;
    if (pattern_[p] == '*') return true;  // it takes the rest of the head, and something fits what stands behind it
    if (!unit_matches(pattern_, p, byte)) return false;
  }
  return true;
}

std::string Glob::literal_head() const {
  std::string head;
  for (std::size_t i = 0; i < pattern_.size() && std::string_view("*?[").find(pattern_[i]) == std::string_view::npos;
       ++i) {
    if (pattern_[i] == '\\') ++i;
    head += pattern_[i];
  }
  return head;
}

}  // namespace detail

std::string glob_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace v1
}  // namespace dsta::cache
