// A manual key is found whatever its length, and no other key is taken for it.
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dsta::cache {
namespace {

/// Without a prefix keys are looked up as they are given, with one they are copied behind it.
struct ManualKeyTest : ::testing::TestWithParam<const char*> {
  const EntryOptions options{.prefix = GetParam()};
  CacheManager cache;
};
INSTANTIATE_TEST_SUITE_P(With, ManualKeyTest, ::testing::Values("", "p"),
                         [](const auto& tested) { return *tested.param ? "Prefix" : "NoPrefix"; });

/// Keys of `length` that differ from one another in one byte, and those that one is the beginning of.
std::vector<std::string> neighbours(std::size_t length) {
  const std::string key(length, 'k');
  std::vector<std::string> all{key, key + 'k', key + '\0'};
  for (std::size_t i = 0; i < length; ++i) {
    all.push_back(key);
    all.back()[i] = i % 2 == 0 ? '\0' : '\xff';
  }
  return all;
}

TEST_P(ManualKeyTest, OfEveryLengthIsFoundAndNoNeighbourIs) {
  for (std::size_t length = 1; length <= 70; ++length) {
    const std::vector<std::string> keys = neighbours(length);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      cache.flush_all();
      // The text lies between others, so that reading too far would be seen.
      const std::string around = "xxxxxxxx" + keys[i] + "xxxxxxxx";
      ASSERT_TRUE(cache.set(std::string_view(around).substr(8, keys[i].size()), i, options));
      for (std::size_t other = 0; other < keys.size(); ++other) {
        const auto found = cache.get<std::size_t>(std::string_view(keys[other]), options);
        ASSERT_EQ(found.has_value(), other == i) << "length " << length;
        if (found) { ASSERT_EQ(*found, i); }
      }
    }
  }
}

TEST_P(ManualKeyTest, ThatCannotBeUsedIsRefusedByEveryRead) {
  for (const std::string& key : {std::string(), std::string(kMaxKeyBytes + 1, 'k')}) {
    EXPECT_THROW((void)cache.get<int>(key, options), KeyError);
    EXPECT_THROW((void)cache.get<std::string>(key, options), KeyError);
    EXPECT_THROW(
        cache.get_or_load(key, [] { return 1; }, options), KeyError);
  }
  const std::string longest(kMaxKeyBytes - (options.prefix.empty() ? 0 : 2), 'k');
  EXPECT_TRUE(cache.set(longest, 1, options));
  EXPECT_EQ(cache.get<int>(longest, options), 1);
}

TEST_P(ManualKeyTest, OfValuesOfEverySizeHoldsThem) {
  const auto stays = [&]<class T>(const T& value) {
    cache.set("v", value, options);
    EXPECT_EQ(cache.get<T>("v", options), value);
    cache.set("longer key of a value", value, options);
    EXPECT_EQ(cache.get<T>("longer key of a value", options), value);
  };
  stays(true);
  stays(std::uint16_t{7});
  stays(std::pair<int, char>{1, 'c'});
  stays(std::array<char, 3>{'a', 'b', 'c'});
  stays(std::array<std::uint8_t, 17>{1, 2, 3});
  stays(std::array<std::uint64_t, 8>{1, 2, 3, 4, 5, 6, 7, 8});
  stays(std::array<std::uint64_t, 9>{9});
  stays(std::string("text"));
}

}  // namespace
}  // namespace dsta::cache
