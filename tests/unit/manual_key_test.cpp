// A manual key is found whatever its length, and no other key is taken for it.
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

struct Unassignable {
  const int x;
  bool operator==(const Unassignable&) const = default;
};
template <>
inline constexpr bool dsta::cache::in_process_only<Unassignable> = true;

namespace dsta::cache {
namespace {

/// Without a prefix and a name keys are looked up as they are given, else they are copied behind these.
struct ManualKeyTest : ::testing::TestWithParam<const char*> {
  ManualKeyTest() {
    const std::string_view before = GetParam();
    if (before == "Prefix") options.prefix = "p";
    if (before == "Name") options.name = "n";
  }
  EntryOptions options;
  CacheManager cache;
};
INSTANTIATE_TEST_SUITE_P(Behind, ManualKeyTest, ::testing::Values("Nothing", "Prefix", "Name"),
                         [](const auto& tested) { return tested.param; });

/// `text` between others, so that reading too far on either side would be seen.
struct Surrounded {
  Surrounded(const std::string& text, char by) : all(std::string(8, by) + text + std::string(8, by)) {}
  std::string_view text() const { return std::string_view(all).substr(8, all.size() - 16); }
  const std::string all;
};

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
      ASSERT_TRUE(cache.set(Surrounded(keys[i], 'x').text(), i, options));
      for (std::size_t other = 0; other < keys.size(); ++other) {
        const auto found = cache.get<std::size_t>(Surrounded(keys[other], 'y').text(), options);
        ASSERT_EQ(found.has_value(), other == i) << "length " << length;
        ASSERT_EQ(found.value_or(i), i);
      }
    }
  }
}

TEST_P(ManualKeyTest, ThatCannotBeUsedIsRefusedByEveryRead) {
  for (const std::string& key : {std::string(), std::string(kMaxKeyBytes + 1, 'k')}) {
    EXPECT_THROW((void)cache.get<int>(key, options), KeyError);
    EXPECT_THROW((void)cache.get<std::string>(key, options), KeyError);
    EXPECT_THROW(cache.get_or_load(
                     key, [] { return 1; }, options),
                 KeyError);
  }
  const std::string longest(kMaxKeyBytes - (options.prefix + options.name).size() * 2, 'k');
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
  stays(Unassignable{5});
}

}  // namespace
}  // namespace dsta::cache
