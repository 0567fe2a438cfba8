// Patterns mean what they mean to Redis, whatever they are and however long the text.
#include "base/glob.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include <dsta/cache.hpp>

#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::RandomValues;
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

std::string random_text(RandomValues& random, std::string_view letters, std::size_t longest) {
  std::string text;
  for (std::size_t left = random.below(longest + 1); left > 0; --left) text += letters[random.below(letters.size())];
  return text;
}

TEST(Glob, AgreesWithItsDefinition) {
  RandomValues random(99);
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

std::vector<std::string> all_texts(std::string_view letters, std::size_t longest) {
  std::vector<std::string> texts{""};
  for (std::size_t at = 0; at < texts.size(); ++at) {
    if (texts[at].size() == longest) break;
    for (const char letter : letters) texts.push_back(texts[at] + letter);
  }
  return texts;
}

TEST(Glob, KnowsWhatTheTextsBeginWithThatItMatches) {
  RandomValues random(7);
  const auto texts = all_texts("ab", 7);
  for (std::size_t left = scaled(2'000); left > 0; --left) {
    const std::string pattern = random_text(random, "aabb*?", 6);
    if (pattern.empty()) continue;
    const Glob glob(pattern);
    const std::string head = random_text(random, "ab", 4);
    bool begins = false, exceeds = false;
    for (const std::string& text : texts) {
      if (!defined_to_match(pattern, text)) continue;
      begins = begins || text.starts_with(head);
      exceeds = exceeds || text.size() > 4;
      ASSERT_TRUE(text.starts_with(glob.literal_head())) << pattern << " on " << text;
    }
    // Texts of seven bytes are long enough for any pattern here behind a head of four.
    ASSERT_GE(glob.can_begin_with(head), begins) << pattern << " on " << head;
    if (head.size() + pattern.size() <= 7) {
      ASSERT_EQ(glob.can_begin_with(head), begins) << pattern << " on " << head;
    }
    ASSERT_EQ(glob.can_exceed(4), exceeds) << pattern;
  }
}

TEST(Glob, KnowsWhenTheHeadOfATextSaysWhetherItMatches) {
  RandomValues random(8);
  const auto texts = all_texts("ab", 5);
  std::size_t decided = 0;
  for (std::size_t left = scaled(5'000); left > 0; --left) {
    const std::string pattern = random_text(random, "aab**?", 5);
    if (pattern.empty() || !Glob(pattern).is_decided_by(2)) continue;
    ++decided;
    const Glob glob(pattern);
    for (const std::string& text : texts) {
      if (text.size() <= 2) continue;
      ASSERT_EQ(glob.matches(text), glob.matches(text.substr(0, 2))) << pattern << " on " << text;
    }
  }
  EXPECT_GT(decided, scaled(5'000) / 10);
  EXPECT_TRUE(Glob("api:*").is_decided_by(4));
  EXPECT_FALSE(Glob("api:*").is_decided_by(3));
  EXPECT_FALSE(Glob("api:*x").is_decided_by(100));
  EXPECT_FALSE(Glob("api:").is_decided_by(100)) << "a longer text does not match";
}

TEST(Glob, ItsLiteralHeadEndsWhereThePatternBegins) {
  EXPECT_EQ(Glob("api:BTC*").literal_head(), "api:BTC");
  EXPECT_EQ(Glob("a\\*b?").literal_head(), "a*b");
  EXPECT_EQ(Glob("ab[c]").literal_head(), "ab");
  EXPECT_EQ(Glob("*a").literal_head(), "");
  EXPECT_EQ(Glob("ab").literal_head(), "ab");
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
  RandomValues random(5);
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
