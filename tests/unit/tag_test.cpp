// Tags: versions and not wall clocks, so what is written after an invalidation counts at once; and one invalidation
// costs the same however many entries carry the tag.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::HandExecutor;

constexpr int kWrites = 1000;

/// On a clock that stands still.
struct TaggedCache {
  static std::string key(int i) { return "k" + std::to_string(i); }
  std::shared_ptr<HandExecutor> background = std::make_shared<HandExecutor>();
  testing::CleanCache clean{{.executor = background}};
  CacheManager& cache = clean.cache;
};

struct Tags : ::testing::TestWithParam<TagMode>, TaggedCache {
  TagMode mode() const { return GetParam(); }
};
struct TagModes : ::testing::Test, TaggedCache {};

INSTANTIATE_TEST_SUITE_P(Mode, Tags, ::testing::Values(TagMode::remove, TagMode::expire),
                         [](const auto& tested) { return tested.param == TagMode::remove ? "Remove" : "Expire"; });

TEST_P(Tags, OnlyWritesAfterAnInvalidationAreReadable) {
  const EntryOptions options{.tags = {"t"}};
  for (int i = 0; i < kWrites; ++i) cache.set(key(i), i, options);
  cache.invalidate_tag("t", mode());
  for (int i = 0; i < kWrites; ++i) ASSERT_FALSE(cache.get<int>(key(i))) << i;
  for (int i = 0; i < kWrites; i += 2) ASSERT_TRUE(cache.set(key(i), -i, options)) << i;
  for (int i = 0; i < kWrites; ++i) {
    ASSERT_EQ(cache.get<int>(key(i)), i % 2 == 0 ? std::optional(-i) : std::nullopt) << i;
    ASSERT_EQ(cache.exists(key(i)), i % 2 == 0) << i;
  }
}

TEST_P(Tags, OfWritesBetweenInvalidationsOnlyTheLastOnesCount) {
  for (int i = 0; i < kWrites; ++i) {
    ASSERT_TRUE(cache.set("k", i, {.tags = {"t"}}));
    ASSERT_EQ(cache.get<int>("k"), i);
    cache.invalidate_tag("t", mode());
    ASSERT_FALSE(cache.get<int>("k")) << i;
  }
}

TEST_P(Tags, CallsDirectlyAfterAnInvalidationLoadOnceEach) {
  int loads = 0;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t", "n:{0}"}}, [&](int n) { return ++loads, n; });
  for (int i = 0; i < kWrites; ++i) f(i);
  cache.invalidate_tag("t", mode());
  for (int i = 0; i < kWrites; ++i) ASSERT_FALSE(f.peek(i)) << i;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kWrites; ++i) ASSERT_EQ(f(i), i);
  }
  EXPECT_EQ(loads, 2 * kWrites);
  cache.invalidate_tag("n:7", mode());
  for (int i = 0; i < kWrites; ++i) ASSERT_EQ(f.peek(i).has_value(), i != 7) << i;
}

TEST_P(Tags, AThousandPutsDirectlyAfterAnInvalidationAreKept) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [](int) { return -1; });
  for (int i = 0; i < kWrites; ++i) f.put(i, i);
  cache.invalidate_tag("t", mode());
  for (int i = 0; i < kWrites; ++i) ASSERT_FALSE(f.peek(i)) << i;
  for (int i = 0; i < kWrites; ++i) ASSERT_TRUE(f.put(i, i + kWrites));
  for (int i = 0; i < kWrites; ++i) ASSERT_EQ(f(i), i + kWrites);
}

TEST_P(Tags, AnEntryOfManyTagsCountsOnlyWhileNoneOfThemIsInvalidated) {
  constexpr int kTags = 64;
  std::vector<std::string> tags;
  for (int i = 0; i < kTags; ++i) tags.push_back("tag" + std::to_string(i));
  for (int i = 0; i < kTags; ++i) {
    ASSERT_TRUE(cache.set("all", i, {.tags = tags}));
    cache.set("but one", i, {.tags = {tags[static_cast<std::size_t>((i + 1) % kTags)], "other"}});
    cache.invalidate_tag(tags[static_cast<std::size_t>(i)], mode());
    ASSERT_FALSE(cache.get<int>("all")) << tags[static_cast<std::size_t>(i)];
    ASSERT_EQ(cache.get<int>("but one"), i);
  }
}

TEST_P(Tags, InvalidatingATagTouchesNoEntryHoweverManyCarryIt) {
  for (int i = 0; i < kWrites; ++i) cache.set(key(i), i, {.tags = {"t"}});
  const CacheStats before = cache.get_stats();
  cache.invalidate_tag("t", mode());
  const CacheStats after = cache.get_stats();
  EXPECT_EQ(before.entries, static_cast<std::uint64_t>(kWrites));
  EXPECT_EQ(after.entries, before.entries) << "they are found out when they are read, not when they are invalidated";
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.evictions + after.expirations + after.deletes, 0u);
  EXPECT_EQ(background->waiting(), 0u) << "nothing that walks over them was begun behind the caller's back";
  for (int i = 0; i < kWrites; ++i) ASSERT_FALSE(cache.exists(key(i))) << i;
}

TEST_F(TagModes, ExpiredEntriesAreServedStaleAndRemovedOnesAreNot) {
  const EntryOptions options{.ttl = 60s, .tags = {"t"}, .stale_for = 1h};
  for (int i = 0; i < kWrites; ++i) cache.set(key(i), i, options);
  cache.invalidate_tag("t", TagMode::expire);
  for (int i = 0; i < kWrites; ++i) {
    const auto found = cache.lookup<int>(key(i));
    ASSERT_EQ(found.value, i);
    ASSERT_TRUE(found.stale);
  }
  cache.invalidate_tag("t", TagMode::remove);
  for (int i = 0; i < kWrites; ++i) ASSERT_FALSE(cache.get<int>(key(i))) << i;
  cache.invalidate_tag("t", TagMode::expire);
  for (int i = 0; i < kWrites; ++i) ASSERT_FALSE(cache.get<int>(key(i))) << "expiring revived a removed entry";
  cache.set("new", 1, options);
  EXPECT_FALSE(cache.lookup<int>("new").stale);
}

/// More tags than the table keeps records of when nobody refers to them.
struct DroppedTags : Tags {
  void crowd_out() {
    for (int i = 0; i < 150'000; ++i) cache.invalidate_tag("passing " + std::to_string(++passed));
  }
  int passed = 0;
};
INSTANTIATE_TEST_SUITE_P(Mode, DroppedTags, ::testing::Values(TagMode::remove, TagMode::expire),
                         [](const auto& tested) { return tested.param == TagMode::remove ? "Remove" : "Expire"; });

TEST_P(DroppedTags, AskingForATagAgainResurrectsNoEntry) {
  for (int i = 0; i < 100; ++i) cache.set(key(i), i, {.tags = {"t" + key(i)}});
  for (int i = 0; i < 100; ++i) cache.invalidate_tag("t" + key(i), mode());
  crowd_out();
  for (int i = 0; i < 100; ++i) cache.set("other " + key(i), i, {.tags = {"t" + key(i)}});
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(cache.exists(key(i))) << i;
    ASSERT_EQ(cache.get<int>("other " + key(i)), i);
  }
}

TEST_P(DroppedTags, AValidEntryKeepsItsTag) {
  for (int i = 0; i < 100; ++i) cache.set(key(i), i, {.ttl = forever, .tags = {"t" + key(i)}});
  crowd_out();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(cache.get<int>(key(i)), i) << "by a tag that it does not carry";
  for (int i = 0; i < 100; i += 2) cache.invalidate_tag("t" + key(i), mode());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(cache.exists(key(i)), i % 2 != 0) << i;
}

/// The tag's record is made by the invalidation and dropped before the load's value names the tag.
TEST_P(DroppedTags, AForgottenTagStillFencesLoadsWhoseValuesNameIt) {
  int loads = 0;
  auto f = cache
               .cached({.ttl = 60s, .prefix = "f"},
                       [&](int n) {
                         if (++loads == 1) {
                           cache.invalidate_tag("late:" + std::to_string(n), mode());
                           crowd_out();
                         }
                         return n;
                       })
               .adaptive_tags([](int n) { return std::vector{"late:" + std::to_string(n)}; });
  EXPECT_EQ(f(5), 5);
  EXPECT_FALSE(f.peek(5));
  EXPECT_EQ(f.cache_info().fenced, 1u);
  EXPECT_EQ(f(5), 5);
  EXPECT_EQ(f.peek(5), 5);
  EXPECT_EQ(loads, 2);
}

TEST_P(DroppedTags, ALoadUnderWayKeepsTheTagsItBeganWith) {
  int loads = 0;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"n:{0}"}}, [&](int n) {
    if (++loads == 1) {
      crowd_out();
      cache.invalidate_tag("n:" + std::to_string(n), mode());
      crowd_out();
    }
    return n;
  });
  EXPECT_EQ(f(5), 5);
  EXPECT_FALSE(f.peek(5));
  EXPECT_EQ(f.cache_info().fenced, 1u);
}

TEST(TagsOfArguments, AreThoseOfTheParametersForEveryCall) {
  CacheManager cache;
  const auto number = cache.cached({.prefix = "number", .tags = {"t:{0}"}}, [](int i) { return i; });
  const auto flag = cache.cached({.prefix = "flag", .tags = {"t:{0}"}}, [](bool b) { return b; });
  number.put('a', 1), flag.put(1, true);
  ASSERT_TRUE(number.peek(97) && flag.peek(true));
  cache.invalidate_tag("t:97"), cache.invalidate_tag("t:true");
  EXPECT_FALSE(number.peek(97));
  EXPECT_FALSE(flag.peek(true));
}

TEST(TagsOfValues, BetweenTwoInvalidationsNoOlderLoadIsTaken) {
  CacheManager cache;
  std::atomic<int> source = 1;
  std::latch loading(1), joined(1);
  cache.core()->probe = [&](detail::Core::Point point, std::string_view) {
    if (point == detail::Core::Point::before_wait) {
      cache.invalidate_tag("t");  // the second
      joined.count_down();
    }
  };
  const auto f = cache.cached({.prefix = "p"}, [&](int, LoadContext<int>& load) {
    load.add_tag("t");
    const int value = source;
    if (value == 1) loading.count_down(), joined.wait();
    return value;
  });
  std::jthread leader([&] { EXPECT_EQ(f(0), 1); });
  loading.wait();
  source = 2;
  cache.invalidate_tag("t");
  std::jthread caller([&] { EXPECT_EQ(f(0), 2); });
}

}  // namespace
}  // namespace dsta::cache
