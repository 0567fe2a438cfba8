// Entries that were removed and are not freed yet: what they may and may not do to the store.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "counted.hpp"
#include "hand_executor.hpp"
#include "l1/hit.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::Counted;
using testing_support::HandExecutor;

const TimePoint kTestTime{std::chrono::hours(1)};

class RemovedEntries : public ::testing::Test {
 protected:
  static KeyView key_of(std::uint32_t number, char (&name)[16]) {
    std::snprintf(name, sizeof name, "%08u", number);
    return {std::string_view(name, 8), {}, (number + 1) * 0x9e3779b97f4a7c15};
  }
  bool read(std::uint32_t number) {
    char name[16] = {};
    NodeRef found;
    return store_.find(thread_record(), key_of(number, name), kTypeOps<std::uint32_t>, nullptr, kTestTime, found) ==
           Freshness::fresh;
  }
  void put(std::uint32_t number) {
    char name[16] = {};
    NodeRef made = make_node<std::uint32_t>(key_of(number, name), number);
    made->refresh_at = made->fresh_until = made->stale_until = TimePoint::max();
    store_.put(std::move(made), kTestTime);
  }

  static constexpr std::size_t kBudget = std::size_t{96} << 10;
  Store store_{{.max_bytes = kBudget}, kTestTime};
};

TEST_F(RemovedEntries, GiveNewcomersNoPlaceWithoutAContest) {
  // Keys that are read often stay, however many others pass through: each place in the main area is contended for.
  constexpr std::uint32_t kPopular = 150;
  for (int round = 0; round < 30; ++round) {
    for (std::uint32_t i = 0; i < kPopular; ++i) {
      if (!read(i)) put(i);
    }
  }
  std::uint32_t once = 1'000;
  std::size_t kept = 0, reads = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 600; ++i) put(once++);
    for (std::uint32_t i = 0; i < kPopular; ++i) {
      ++reads;
      if (read(i)) {
        ++kept;
      } else {
        put(i);
      }
    }
  }
  EXPECT_GE(kept, reads * 97 / 100) << kept << " of " << reads;
}

TEST_F(RemovedEntries, TheBudgetHoldsForAllTogether) {
  for (int round = 0; round < 20; ++round) {
    for (std::uint32_t i = 0; i < 2'000; ++i) put(static_cast<std::uint32_t>(round) * 1'000 + i);
    if (round % 3 == 0) store_.clear(static_cast<std::uint64_t>(round));
    const Store::Contents contents = store_.contents(kTestTime);
    EXPECT_LE(contents.bytes, kBudget);
  }
  EXPECT_GE(store_.contents(kTestTime).bytes, kBudget * 8 / 10) << "it is there to be used";
}

TEST_F(RemovedEntries, WhatWasClearedMakesRoomAsItIsWrittenOver) {
  for (std::uint32_t i = 0; i < 1'000; ++i) put(i);
  const std::uint64_t fit = store_.contents(kTestTime).entries;
  store_.clear(1);
  EXPECT_FALSE(read(999));
  // Nobody frees what was cleared but those who write.
  for (std::uint32_t i = 0; i < 1'000; ++i) put(10'000 + i);
  const Store::Contents contents = store_.contents(kTestTime);
  EXPECT_EQ(contents.entries, fit);
  EXPECT_LE(contents.bytes, kBudget);
  EXPECT_TRUE(read(10'999));
}

TEST(FlushAll, IsSeenAtOnceAndFreesBehind) {
  Counted::Count living{0};
  const auto executor = std::make_shared<HandExecutor>();
  {
    CacheManager cache({.executor = executor});
    for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(cache.set("key" + std::to_string(i), Counted(living)));
    EXPECT_EQ(living, 1'000);
    cache.flush_all();
    EXPECT_FALSE(cache.get<Counted>("key7"));
    EXPECT_FALSE(cache.exists("key7"));
    ASSERT_TRUE(cache.set("key7", Counted(living)));
    executor->run();
    EXPECT_EQ(living, 1) << "values go in the background";
    EXPECT_TRUE(cache.get<Counted>("key7"));
    EXPECT_EQ(cache.get_stats().entries, 1u);
  }
  EXPECT_EQ(living, 0);
}

TEST(FlushAll, FreesBehindThoughAnExecutorDroppedWhatItWasGiven) {
  struct DropsTheFirst final : Executor {
    bool try_post(std::function<void()> task) override {
      if (std::exchange(drops, false)) return true;
      task();
      return true;
    }
    bool drops = true;
  };
  Counted::Count living{0};
  CacheManager cache({.executor = std::make_shared<DropsTheFirst>()});
  const auto fill = [&] {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(cache.set("key" + std::to_string(i), Counted(living)));
  };
  fill();
  cache.flush_all();
  fill();
  cache.flush_all();
  EXPECT_EQ(living, 0);
}

TEST(FlushAll, StatisticsCountNothingThatIsGone) {
  testing::CleanCache clean({.executor = std::make_shared<HandExecutor>()});
  const std::uint64_t empty = clean.cache.get_stats().bytes;
  for (int i = 0; i < 100; ++i) clean.cache.set("key" + std::to_string(i), i, {.ttl = 10s});
  clean.cache.flush_all();
  EXPECT_EQ(clean.cache.get_stats().entries, 0u);
  EXPECT_LE(clean.cache.get_stats().bytes, empty + 16'384) << "but the table, which has grown";
  clean.clock->advance(20s);
  for (int i = 0; i < 100; ++i) clean.cache.set("key" + std::to_string(i), i);
  EXPECT_EQ(clean.cache.get_stats().entries, 100u);
  EXPECT_EQ(clean.cache.get_stats().expirations, 0u) << "what was flushed does not expire";
}

TEST(ClosedManager, FreesItsValuesAlthoughAWrapperOutlivesIt) {
  Counted::Count living{0};
  auto cache = std::make_unique<CacheManager>();
  const auto f = cache->cached({.prefix = "f"}, [&](int) { return Counted(living); });
  for (int i = 0; i < 100; ++i) f(i);
  EXPECT_EQ(living, 100);
  cache.reset();
  EXPECT_EQ(living, 0);
}

}  // namespace
}  // namespace dsta::cache::detail
