// Counters: what the budget, stale values and many threads may not do to them.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "l1/store.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::scaled;

TEST(CounterBudget, CountersOutliveWhateverElseWantsTheirPlace) {
  testing::CleanCache clean({.l1 = {.max_bytes = 256 << 10}});
  for (int i = 0; i < 200; ++i) ASSERT_EQ(clean.cache.increment("n" + std::to_string(i), i), i);
  for (std::size_t i = 0; i < scaled(20'000); ++i) clean.cache.set("k" + std::to_string(i), std::string(500, 'v'));
  EXPECT_GT(clean.cache.get_stats().evictions, 0u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(clean.cache.get<std::int64_t>("n" + std::to_string(i)), i);
}

TEST(CounterBudget, CountersStayWithinTheirShareOrAreRefused) {
  testing::CleanCache clean({.l1 = {.max_bytes = 64 << 10}});
  std::size_t made = 0;
  while (made < 10'000 && clean.cache.increment("n" + std::to_string(made))) ++made;
  EXPECT_GT(made, 50u);
  EXPECT_LT(made, 10'000u);
  EXPECT_LE(clean.cache.get_stats().bytes, 64u << 10);
  EXPECT_GT(clean.cache.get_stats().rejected, 0u);
  EXPECT_TRUE(clean.cache.set("k", std::string("v"))) << "there is room for values besides counters";
  EXPECT_EQ(clean.cache.get("k"), "v");
}

TEST(CounterBudget, AnExistingCounterCountsOnWhenNoNewOneFits) {
  testing::CleanCache clean({.l1 = {.max_bytes = 64 << 10}});
  int made = 0;
  while (clean.cache.increment("n" + std::to_string(made))) ++made;
  for (int i = 0; i < made; ++i) ASSERT_EQ(clean.cache.increment("n" + std::to_string(i)), 2) << i << " of " << made;
}

struct Counter : ::testing::Test, testing::CleanCache {};

TEST_F(Counter, GetReturnsWhatIncrementReturnedAlsoAfterAStaleValue) {
  cache.set("n", std::int64_t{5}, {.ttl = 10s, .stale_for = 60s});
  clock->advance(20s);
  const auto sum = cache.increment("n");
  ASSERT_TRUE(sum);
  EXPECT_EQ(cache.get<std::int64_t>("n"), sum);
}

TEST_F(Counter, ItsTtlCountsFromItsMaking) {
  cache.increment("n", 1, {.ttl = 10s});
  clock->advance(6s);
  EXPECT_EQ(cache.increment("n", 1, {.ttl = 10s}), 2);
  EXPECT_EQ(cache.get_ttl("n"), 4s);
  clock->advance(4s);
  EXPECT_EQ(cache.increment("n", 1, {.ttl = 10s}), 1) << "a counter past its time starts again";
}

TEST_F(Counter, KeepsTheTagsAndTheIdleTtlItWasSetWith) {
  cache.set("n", std::int64_t{5}, {.ttl = 1h, .tags = {"a", "b"}, .idle_ttl = 10s});
  EXPECT_EQ(cache.increment("n"), 6);
  EXPECT_EQ(cache.increment("n"), 7);
  EXPECT_EQ(cache.get_ttl("n"), 1h);
  clock->advance(9s);
  EXPECT_EQ(cache.increment("n"), 8) << "counting is using";
  clock->advance(9s);
  EXPECT_EQ(cache.get<std::int64_t>("n"), 8);
  cache.invalidate_tag("b");
  EXPECT_FALSE(cache.exists("n"));
  cache.set("idle", std::int64_t{5}, {.ttl = 1h, .idle_ttl = 10s});
  cache.increment("idle");
  clock->advance(10s);
  EXPECT_FALSE(cache.exists("idle"));
}

TEST_F(Counter, WhoseTagWasInvalidatedStartsAnewAndCountsOn) {
  for (const TagMode mode : {TagMode::remove, TagMode::expire}) {
    cache.set("n", std::int64_t{5}, {.ttl = 1h, .tags = {"a"}, .stale_for = 1h});
    EXPECT_EQ(cache.increment("n"), 6);
    cache.invalidate_tag("a", mode);
    EXPECT_FALSE(cache.get<std::int64_t>("n"));
    EXPECT_EQ(cache.increment("n"), 1);
    EXPECT_EQ(cache.get<std::int64_t>("n"), 1);
    EXPECT_EQ(cache.increment("n"), 2);
    cache.invalidate_tag("a", mode);
    EXPECT_EQ(cache.get<std::int64_t>("n"), 2) << "the new counter was made without tags";
  }
}

TEST_F(Counter, OfManyThreadsNeverCountsOnAcrossAnInvalidation) {
  for (std::size_t round = scaled(300); round > 0; --round) {
    cache.set("n", std::int64_t{1'000'000}, {.ttl = 1h, .tags = {"a"}});
    std::jthread counting([&] {
      for (int i = 0; i < 50; ++i) cache.increment("n");
    });
    cache.invalidate_tag("a");
    ASSERT_LT(cache.get<std::int64_t>("n").value_or(0), 1'000'000);
    ASSERT_LE(cache.increment("n"), 51);
  }
}

TEST_F(Counter, LeavesTheRangeNeitherUpNorDownAndKeepsItsValue) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max(), kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(cache.increment("up", kMost), kMost);
  EXPECT_THROW(cache.increment("up"), ValueError);
  EXPECT_EQ(cache.increment("up", 0), kMost);
  EXPECT_EQ(cache.increment("down", kLeast), kLeast);
  EXPECT_THROW(cache.increment("down", -1), ValueError);
  EXPECT_EQ(cache.get<std::int64_t>("down"), kLeast);
}

TEST_F(Counter, NoIncrementOfManyThreadsIsLostOrSeenTwice) {
  const auto each = static_cast<std::int64_t>(scaled(20'000));
  std::vector<std::vector<std::int64_t>> seen(8);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : seen) {
      threads.emplace_back([&] {
        for (std::int64_t i = 0; i < each; ++i) mine.push_back(cache.increment("n").value());
      });
    }
  }
  EXPECT_EQ(cache.get<std::int64_t>("n"), 8 * each);
  std::vector<bool> drawn(static_cast<std::size_t>(8 * each) + 1);
  for (const auto& mine : seen) {
    EXPECT_TRUE(std::ranges::is_sorted(mine)) << "a thread saw the counter go back";
    for (const std::int64_t value : mine) {
      EXPECT_FALSE(drawn[static_cast<std::size_t>(value)]) << value << " twice";
      drawn[static_cast<std::size_t>(value)] = true;
    }
  }
}

TEST(ValueOfOthers, StaysWhenALoadOfAnotherTypeBringsNothing) {
  testing::CleanCache clean;
  const auto unkept =
      clean.cache.cached({.prefix = "f", .name = "f"}, [](int) { return 2.5; }).condition([](const double&) {
        return false;
      });
  for (const bool counts : {true, false}) {
    for (const char* key : {"k", "f:f:1"}) {
      ASSERT_TRUE(counts ? bool(clean.cache.increment(key, 5)) : bool(clean.cache.set(key, std::int64_t{5})));
    }
    EXPECT_FALSE(clean.cache.get_or_load("k", [] { return std::optional<std::string>(); }));
    EXPECT_EQ(unkept(1), 2.5);
    for (const char* key : {"k", "f:f:1"}) EXPECT_EQ(clean.cache.get<std::int64_t>(key), 5) << key;
    clean.cache.flush_all();
  }
  clean.cache.set("f:f:1", 5);
  EXPECT_EQ(unkept.refresh(1), 2.5);
  EXPECT_FALSE(clean.cache.exists("f:f:1")) << "a refresh removes it";
}

TEST(CounterStore, APatternCatchesACounterThatIsCountingOn) {
  const TimePoint now{};
  detail::Store store({}, now);
  const std::string name = "counter:";  // of eight bytes, as keys are padded to
  const detail::KeyView key{name, {}, detail::hash_bytes(name), true};
  const auto count_to = [&](std::int64_t sum) {
    auto node = detail::make_node<std::int64_t>(key, sum);
    node->refresh_at = node->fresh_until = node->stale_until = TimePoint::max();
    return store.exchange(store.peek(key, now), std::move(node), now) == detail::Store::Exchanged::stored;
  };
  EXPECT_TRUE(count_to(1));
  bool counted = false;
  EXPECT_EQ(
      store.erase_matching([&](const detail::Store::Known&) { return counted = counted || count_to(2), true; }, now),
      1u);
  EXPECT_TRUE(counted);
  EXPECT_FALSE(store.peek(key, now));
}

}  // namespace
}  // namespace dsta::cache
