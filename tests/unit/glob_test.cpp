// Patterns mean what they mean to Redis, whatever they are and however long the text.
#include "glob.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include <dsta/cache.hpp>

#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::Random;
using testing_support::scaled;

bool matches(std::string_view pattern, std::string_view text) { return Glob(pattern).matches(text); }

TEST(Glob, MatchesTheWholeText) {
  EXPECT_TRUE(matches("api:ticker", "api:ticker"));
  EXPECT_FALSE(matches("api:ticker", "api:ticker:1"));
  EXPECT_FALSE(matches("ticker", "api:ticker"));
  EXPECT_FALSE(matches("a", ""));
  EXPECT_FALSE(matches("A", "a"));
}

TEST(Glob, AStarIsAnyTextAndAQuestionMarkAnyByte) {
  for (const char* text : {"", "a", "a:b", "*", "\n"}) EXPECT_TRUE(matches("*", text)) << text;
  EXPECT_TRUE(matches("api:*BTC*", "api:ticker:BTCUSDT"));
  EXPECT_TRUE(matches("api:*BTC*", "api:BTC"));
  EXPECT_FALSE(matches("api:*BTC*", "db:BTC"));
  EXPECT_TRUE(matches("**a**", "a"));
  EXPECT_TRUE(matches("a*b*c", "aXbXbXc"));
  EXPECT_FALSE(matches("a*b*c", "aXcXb"));
  EXPECT_TRUE(matches("?", "x"));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_FALSE(matches("?", "xy"));
  EXPECT_TRUE(matches("??", "\xc3\xa9")) << "a byte, not a letter";
  EXPECT_TRUE(matches("*??", "xyz"));
  EXPECT_FALSE(matches("*??", "z"));
  EXPECT_TRUE(matches("*", std::string_view("\0\0", 2)));
}

TEST(Glob, AClassIsOneByteOfManyOrNoneOfThem) {
  for (const char* yes : {"a", "c", "x"}) EXPECT_TRUE(matches("[abcx]", yes)) << yes;
  EXPECT_FALSE(matches("[abc]", "d"));
  EXPECT_FALSE(matches("[abc]", ""));
  EXPECT_FALSE(matches("[abc]", "ab"));
  EXPECT_TRUE(matches("v[0-9]", "v7"));
  EXPECT_TRUE(matches("v[9-0]", "v7")) << "a range either way round";
  EXPECT_FALSE(matches("v[0-9]", "vx"));
  EXPECT_TRUE(matches("[^0-9]", "x"));
  EXPECT_FALSE(matches("[^0-9]", "5"));
  EXPECT_FALSE(matches("[^a]", ""));
  EXPECT_TRUE(matches("[a^]", "^"));
  EXPECT_TRUE(matches("[*]", "*"));
  EXPECT_FALSE(matches("[*]", "x"));
  EXPECT_TRUE(matches("[\\]]", "]"));
  EXPECT_TRUE(matches("[a\\-z]", "-"));
  EXPECT_FALSE(matches("[a\\-z]", "m"));
  EXPECT_TRUE(matches("[-a]", "-"));
  EXPECT_FALSE(matches("[]", "]")) << "an empty class matches nothing";
  EXPECT_TRUE(matches("[^]", "x")) << "its opposite any byte";
  EXPECT_TRUE(matches("[a-]b]", "^")) << "the end of a range may be ']': from ']' to 'a', and 'b'";
  EXPECT_TRUE(matches("[a-\\]]", "_]")) << "or a backslash: from '\\' to 'a', and then a bracket";
  EXPECT_FALSE(matches("[a-\\]]", "]"));
}

TEST(Glob, ABackslashMakesTheNextByteItself) {
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "x"));
  EXPECT_TRUE(matches("\\a", "a"));
  EXPECT_TRUE(matches("a\\\\b", "a\\b"));
  EXPECT_TRUE(matches("\\[a]", "[a]"));
  EXPECT_TRUE(matches("]", "]"));
}

TEST(Glob, RefusesWhatIsNoPatternAndSaysWhatToWrite) {
  const auto error = [](std::string_view pattern) -> std::string {
    try {
      Glob glob(pattern);
    } catch (const PatternError& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_NE(error("").find("flush_all"), std::string::npos);
  EXPECT_NE(error("abc\\").find("\\\\"), std::string::npos);
  EXPECT_NE(error("ab[c").find("position 2"), std::string::npos);
  for (const char* unclosed : {"[", "[^", "[a-", "[a\\]", "[]x[", "x[a-]"}) {
    EXPECT_NE(error(unclosed).find("without ']'"), std::string::npos) << unclosed;
  }
  CacheManager cache;
  EXPECT_THROW(cache.delete_pattern(""), PatternError);
  EXPECT_THROW(cache.delete_pattern("", {.prefix = "api"}), PatternError) << "not: everything under api";
  EXPECT_THROW(cache.delete_pattern("[", {.prefix = "api"}), PatternError);
}

/// The definition, by recursion. For patterns that Glob accepts.
bool defined_to_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return defined_to_match(pattern.substr(1), text) || (!text.empty() && defined_to_match(pattern, text.substr(1)));
  }
  if (text.empty()) return false;
  std::size_t length = 1;
  bool match = pattern[0] == text[0];
  if (pattern[0] == '?') match = true;
  if (pattern[0] == '\\') {
    match = pattern[1] == text[0];
    length = 2;
  }
  if (pattern[0] == '[') {
    const bool negated = pattern[1] == '^';
    length = negated ? 2 : 1;
    bool listed = false;
    for (; pattern[length] != ']'; ++length) {
      if (pattern[length] == '\\') {
        ++length;
      } else if (length + 2 < pattern.size() && pattern[length + 1] == '-') {
        const auto [low, high] = std::minmax(pattern[length], pattern[length + 2]);
        listed = listed || (low <= text[0] && text[0] <= high);
        length += 2;
        continue;
      }
      listed = listed || pattern[length] == text[0];
    }
    match = listed != negated;
    ++length;
  }
  return match && defined_to_match(pattern.substr(length), text.substr(1));
}

std::string random_text(Random& random, std::string_view letters, std::size_t longest) {
  std::string text;
  for (std::size_t left = random.below(longest + 1); left > 0; --left) text += letters[random.below(letters.size())];
  return text;
}

TEST(Glob, AgreesWithItsDefinition) {
  Random random(99);
  std::size_t accepted = 0, matched = 0;
  for (std::size_t left = scaled(200'000); left > 0; --left) {
    const std::string pattern = random_text(random, "aabbc*?*[]^-\\", 8);
    const std::string text = random_text(random, "aabbc]^-\\*", 7);
    try {
      const Glob glob(pattern);
      ++accepted;
      const bool match = glob.matches(text);
      matched += match ? 1 : 0;
      ASSERT_EQ(match, defined_to_match(pattern, text)) << pattern << " on " << text;
    } catch (const PatternError&) {
      continue;
    }
  }
  EXPECT_GT(accepted, scaled(200'000) / 4);
  EXPECT_GT(matched, scaled(200'000) / 40);
}

TEST(Glob, ManyStarsDoNotBlowUp) {
  // A matcher that backtracks to every star would take longer than the universe lasts.
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "*a";
  const std::string text(scaled(20'000), 'a');
  EXPECT_TRUE(matches(pattern + "*", text));
  EXPECT_FALSE(matches(pattern + "*b", text));
  EXPECT_FALSE(matches(pattern + "*?[b]", text));
  EXPECT_FALSE(matches("*a*a*a*a*b", text));
}

TEST(Glob, AnEscapedTextMatchesItselfAlone) {
  Random random(5);
  EXPECT_EQ(glob_escape("a*b?[c]\\"), "a\\*b\\?\\[c\\]\\\\");
  for (std::size_t left = scaled(20'000); left > 0; --left) {
    const auto text = random.value<std::string>();
    const auto other = random.value<std::string>();
    if (text.empty()) continue;
    const Glob glob(glob_escape(text));
    ASSERT_TRUE(glob.matches(text)) << text;
    ASSERT_EQ(glob.matches(other), other == text) << text << " on " << other;
  }
}

}  // namespace
}  // namespace dsta::cache::detail
