// Which keys an invalidation is about, where only the shortened name of a long key is known.
#include "entry/key_pattern.hpp"

#include <dsta/cache/detail/stored_key.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/glob.hpp"
#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::RandomValues;
using testing_support::scaled;

std::string long_key(RandomValues& random) {
  std::string key = random.one_in(2) ? "api:f:" : "db:";
  const std::size_t size = kReadableKeyBytes + 1 + random.below(60);
  while (key.size() < size) key += "ab:,("[random.below(5)];
  return key;
}
std::string shortened(const std::string& key) { return std::string(StoredKey(key).view().name); }

/// The key with some of it replaced by what matches it.
std::string pattern_for(RandomValues& random, std::string key) {
  for (std::size_t left = 1 + random.below(3); left > 0; --left) {
    const std::size_t at = random.below(key.size()), size = random.below(key.size() - at);
    const bool stars = key.find('*') != std::string::npos || !random.one_in(3);
    key.replace(at, size, stars ? "*" : std::string(size, '?'));
  }
  return key;
}

bool finds(const KeyPattern& pattern, const std::string& name) {
  for (const std::string& glob : pattern.globs()) {
    if (Glob(glob).matches(name)) return true;
  }
  return false;
}

TEST(KeyPattern, ConcernsTheShortNameOfEveryLongKeyThatItMatches) {
  RandomValues random(11);
  for (std::size_t left = scaled(20'000); left > 0; --left) {
    const std::string key = long_key(random), glob = pattern_for(random, key);
    ASSERT_TRUE(Glob(glob).matches(key)) << glob;
    const auto pattern = glob_pattern(glob);
    ASSERT_TRUE(pattern->concerns(shortened(key))) << glob;
    ASSERT_TRUE(pattern->concerns(shortened(key), key)) << glob;
    ASSERT_TRUE(finds(*pattern, shortened(key))) << glob;
  }
}

TEST(KeyPattern, FindsEveryNameThatItConcerns) {
  RandomValues random(12);
  std::size_t concerned = 0;
  for (std::size_t left = scaled(20'000); left > 0; --left) {
    const auto pattern = glob_pattern(pattern_for(random, long_key(random)));
    const std::string name = shortened(long_key(random));
    if (!pattern->concerns(name)) continue;
    ++concerned;
    ASSERT_TRUE(finds(*pattern, name)) << pattern->text();
  }
  EXPECT_GT(concerned, scaled(20'000) / 100);
}

TEST(KeyPattern, IsExactWhereTheWholeKeyIsKnown) {
  const std::string head(250, 'a'), key = head + "BTCUSDT";
  EXPECT_TRUE(glob_pattern("*BTC*")->concerns(shortened(key), key));
  EXPECT_FALSE(glob_pattern("*ETH*")->concerns(shortened(key), key));
  EXPECT_TRUE(glob_pattern("*ETH*")->concerns(shortened(key))) << "it may be what was cut off";
  EXPECT_TRUE(glob_pattern("*#*")->concerns(shortened(key), key)) << "the short name is a name too";
}

TEST(KeyPattern, ConcernsNoNameThatIsOnlyLong) {
  const std::string name(kReadableKeyBytes, 'a');
  EXPECT_FALSE(glob_pattern("*b")->concerns(name));
  EXPECT_FALSE(glob_pattern("*b")->concerns(name.substr(0, kShortenedHead) + "#" + std::string(kHashDigits, 'x')));
  EXPECT_FALSE(glob_pattern("*b")->concerns(name.substr(0, kShortenedHead + 1) + std::string(kHashDigits, '0')));
}

TEST(KeyPattern, LooksTwiceOnlyWhereLongKeysCouldHideWhatItSeeks) {
  EXPECT_EQ(glob_pattern("api:*")->globs().size(), 1u);
  EXPECT_EQ(glob_pattern("*")->globs().size(), 1u);
  EXPECT_EQ(glob_pattern("api:BTC")->globs().size(), 1u);
  EXPECT_EQ(glob_pattern("api:???[ab]")->globs().size(), 1u) << "it matches no text so long";
  EXPECT_EQ(glob_pattern("api:*BTC")->globs(),
            (std::vector<std::string>{"api:*BTC", "api:*#" + std::string(kHashDigits, '?')}));
  EXPECT_EQ(glob_pattern(std::string(250, 'a') + "*")->globs()[1],
            std::string(kShortenedHead, 'a') + "*#" + std::string(kHashDigits, '?'));
}

}  // namespace
}  // namespace dsta::cache::detail
