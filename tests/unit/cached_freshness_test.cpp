// How long a value is served: ttl, for ever, not at all, stale while a refresh runs, refreshed ahead of its end.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <latch>
#include <stdexcept>
#include <thread>

#include "failing_source.hpp"
#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Core;

struct CachedFreshness : testing_support::FailingSource {};

TEST_F(CachedFreshness, AValueIsServedUntilItsTtlIsOverAndNoLonger) {
  const auto f = source({.ttl = 60s, .prefix = "ttl"});
  EXPECT_EQ(f(0), 1);
  clock.advance(60s - 1ns);
  EXPECT_EQ(f(0), 1);
  clock.advance(1ns);
  EXPECT_FALSE(f.peek(0));
  EXPECT_EQ(f(0), 2);
  clock.advance(60s - 1ns);
  EXPECT_EQ(f(0), 2) << "a reloaded value has a whole ttl";
}

TEST_F(CachedFreshness, WithoutATtlTheManagersDefaultCounts) {
  const auto f = source({.prefix = "default"});
  f(0);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), 300s);
}

TEST_F(CachedFreshness, ForeverNeverEnds) {
  const auto f = source({.ttl = forever, .prefix = "forever"});
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), forever);
  clock.advance(24h * 365 * 50);
  cache.set("another", 1);  // writes reclaim what has expired
  EXPECT_EQ(f(0), 1);
}

TEST_F(CachedFreshness, ATtlOfZeroOrLessStoresNothing) {
  for (const Duration ttl : {0s, -5s}) {
    const auto f = source({.ttl = ttl, .prefix = "zero"});
    runs = 0;
    f(0), f(0);
    EXPECT_EQ(runs, 2);
    EXPECT_FALSE(f.put(0, 5));
  }
  EXPECT_EQ(cache.get_stats().entries, 0u);
}

TEST_F(CachedFreshness, AStaleValueIsServedWhileOneRefreshRuns) {
  const auto f = source({.ttl = 60s, .prefix = "stale", .stale_for = 30s});
  EXPECT_EQ(f(0), 1);
  clock.advance(70s);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(f(0), 1);
  EXPECT_EQ(background->waiting(), 1u) << "one refresh, however many ask";
  EXPECT_EQ(f.cache_info().stale_served, 5u);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), 0s);
  EXPECT_EQ(background->run(), 1u);
  EXPECT_EQ(f(0), 2);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), 60s);
  EXPECT_EQ(f.cache_info().misses, 1u);
}

TEST_F(CachedFreshness, PastTheStaleTimeACallLoadsAndWaits) {
  const auto f = source({.ttl = 60s, .prefix = "gone", .stale_for = 30s});
  f(0);
  clock.advance(90s);
  EXPECT_FALSE(f.peek(0));
  EXPECT_EQ(f(0), 2);
  EXPECT_EQ(background->waiting(), 0u);
}

TEST_F(CachedFreshness, WithoutABackoffTheNextCallRefreshesAgain) {
  const auto f = source({.ttl = 60s, .prefix = "failing", .stale_for = 1h, .refresh_backoff = 0s});
  f(0);
  clock.advance(70s);
  down = true;
  EXPECT_EQ(f(0), 1);
  background->run();
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(f.cache_info().load_failures, 1u);
  EXPECT_EQ(background->waiting(), 1u);
  down = false;
  background->run();
  EXPECT_EQ(f(0), 3);
}

TEST_F(CachedFreshness, AnInvalidatedValueIsNeverServedStale) {
  const auto f = source({.ttl = 60s, .prefix = "hard", .tags = {"t"}, .stale_for = 1h});
  f(0);
  cache.invalidate_tag("t");
  EXPECT_EQ(f(0), 2);
  f.invalidate(0);
  EXPECT_EQ(f(0), 3);
  f.cache_clear();
  EXPECT_EQ(f(0), 4);
}

TEST_F(CachedFreshness, AnExpiredTagLeavesEntriesToBeServedStale) {
  const auto f = source({.ttl = 60s, .prefix = "soft", .tags = {"t"}, .stale_for = 1h});
  const auto strict = source({.ttl = 60s, .prefix = "strict", .tags = {"t"}});
  f(0), strict(0);
  cache.invalidate_tag("t", TagMode::expire);
  EXPECT_EQ(f(0), 1);
  EXPECT_FALSE(strict.peek(0)) << "without stale_for an expired entry is gone";
  EXPECT_EQ(background->run(), 1u);
  EXPECT_EQ(f(0), 3);
  EXPECT_EQ(background->waiting(), 0u);
}

TEST_F(CachedFreshness, AnEntryThatItsTagExpiredHasNoFreshTimeLeft) {
  cache.set("k", 1, {.ttl = 60s, .tags = {"t"}, .stale_for = 1h});
  cache.invalidate_tag("t", TagMode::expire);
  EXPECT_TRUE(cache.lookup<int>("k").stale);
  EXPECT_EQ(cache.get_ttl("k"), 0s);
}

TEST_F(CachedFreshness, ARefreshIsStartedOnceAheadOfTheEnd) {
  const auto f = source({.ttl = 100s, .prefix = "ahead", .refresh_ahead = 0.8});
  f(0);
  clock.advance(80s - 1ns);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(background->waiting(), 0u);
  clock.advance(1ns);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(f(0), 1);
  EXPECT_EQ(background->waiting(), 1u);
  background->run();
  EXPECT_EQ(f(0), 2);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), 100s);
  EXPECT_EQ(cache.get_stats().early_refreshes, 1u);
  EXPECT_EQ(cache.get_stats().stale_served, 0u);
}

TEST_F(CachedFreshness, ARefreshAfterAnInvalidationIsNotStored) {
  const auto f = source({.ttl = 60s, .prefix = "overtaken", .stale_for = 1h});
  f(0);
  clock.advance(70s);
  f(0);
  f.put(0, 100);
  EXPECT_EQ(background->run(), 1u);
  EXPECT_EQ(f(0), 100);
  EXPECT_EQ(f.cache_info().fenced, 1u);
}

TEST_F(CachedFreshness, AFullExecutorOnlyPutsTheRefreshOff) {
  testing::CleanCache full({.executor = std::make_shared<testing_support::FullExecutor>()});
  const auto f = full.cache.cached({.ttl = 60s, .prefix = "full", .stale_for = 1h}, [this](int) { return ++runs; });
  EXPECT_EQ(f(0), 1);
  full.clock->advance(70s);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(f(0), 1);
  full.clock->advance(2h);
  EXPECT_EQ(f(0), 2) << "no load that was never started may be waited for";
}

TEST_F(CachedFreshness, AnEntryNobodyReadsExpiresAfterItsIdleTtl) {
  const auto f = source({.ttl = 1h, .prefix = "idle", .idle_ttl = 10s});
  f(0);
  for (int i = 0; i < 5; ++i) {
    clock.advance(9s);
    EXPECT_EQ(f(0), 1);
  }
  clock.advance(10s);
  EXPECT_EQ(f(0), 2);
}

TEST_F(CachedFreshness, JitterShortensEachTtlAndByNoMoreThanItsShare) {
  const auto f = source({.ttl = 100s, .prefix = "jitter", .jitter = 0.2});
  std::set<Duration> ttls;
  for (int i = 0; i < 100; ++i) {
    f(i);
    const Duration ttl = cache.get_ttl(f.key_for(i)).value();
    EXPECT_GE(ttl, 80s);
    EXPECT_LE(ttl, 100s);
    ttls.insert(ttl);
  }
  EXPECT_GT(ttls.size(), 90u);
  EXPECT_LT(*ttls.begin(), 90s);
}

TEST_F(CachedFreshness, XFetchRefreshesExpensiveValuesEarlier) {
  Duration cost = 5s;
  const auto f =
      cache.cached({.ttl = 100s, .prefix = "xfetch", .xfetch = 1}, [&](int) { return clock.advance(cost), 1; });
  const auto due_after = [&](int key) {
    f(key);
    for (Duration waited{}; waited < 100s; waited += 1s, clock.advance(1s)) {
      f(key);
      if (background->waiting() != 0) return cost = 0s, background->run(), cost = 5s, waited;
    }
    return Duration(100s);
  };
  std::set<Duration> times;
  double gaps = 0;
  for (int key = 0; key < 200; ++key) {
    const Duration at = due_after(key);
    EXPECT_GE(at, 49s) << "half of the ttl is kept";
    times.insert(at);
    gaps += std::chrono::duration<double>(100s - at).count();
  }
  EXPECT_GT(times.size(), 10u);
  EXPECT_NEAR(gaps / 200, 5, 1.5) << "on average as early as a load takes";
}

TEST_F(CachedFreshness, XFetchLeavesCheapValuesToTheirTtl) {
  const auto f = cache.cached({.ttl = 100s, .prefix = "cheap", .xfetch = 1}, [](int key) { return key; });
  f(0);
  clock.advance(100s - 1ns);
  EXPECT_EQ(f(0), 0);
  EXPECT_EQ(background->waiting(), 0u);
}

}  // namespace
}  // namespace dsta::cache
