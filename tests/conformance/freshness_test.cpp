// How long values are served, and what happens to those past their time. In real time, so every wait is a poll.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>

#include "backend_test.hpp"
#include "eventually.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Freshness : BackendTest {
  auto numbered(EntryOptions options) {
    return cache.cached(options, [this](int) {
      ++tries;
      return down ? throw std::domain_error("down") : ++loads;
    });
  }
  template <class Wrapper>
  bool becomes_stale(const Wrapper& f) {
    return eventually([&] { return cache.lookup<int>(f.key_for(0)).stale; });
  }
  std::atomic<int> tries = 0, loads = 0;
  std::atomic<bool> down = false;
};
INSTANTIATE_TEST_SUITE_P(On, Freshness, all_backends(), backend_name);

TEST_P(Freshness, AStaleValueIsServedAtOnceAndRefreshedBehind) {
  const auto f = numbered({.ttl = 50ms, .prefix = "f", .stale_for = 60s});
  EXPECT_EQ(f(0), 1);
  ASSERT_TRUE(becomes_stale(f));
  EXPECT_EQ(f(0), 1) << "stale, at once";
  EXPECT_GE(f.cache_info().stale_served, 1u);
  EXPECT_TRUE(eventually([&] { return f.peek(0) == 2; }));
}

TEST_P(Freshness, AStaleValueOutlastsAFailingSource) {
  const auto f = numbered({.ttl = 50ms, .prefix = "f", .stale_for = 60s, .refresh_backoff = 60s});
  EXPECT_EQ(f(0), 1);
  ASSERT_TRUE(becomes_stale(f));
  down = true;
  EXPECT_EQ(f(0), 1);
  ASSERT_TRUE(eventually([&] { return tries == 2; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(f(0), 1);
  EXPECT_LE(tries, 3) << "the source is left alone for refresh_backoff";
}

TEST_P(Freshness, WithoutStaleForAFailingSourceIsTheCallersError) {
  const auto f = numbered({.ttl = 50ms, .prefix = "f"});
  f(0);
  down = true;
  ASSERT_TRUE(eventually([&] { return !f.peek(0); }));
  EXPECT_THROW(f(0), std::domain_error);
}

TEST_P(Freshness, PastStaleForTheEntryIsGone) {
  const auto f = numbered({.ttl = 50ms, .prefix = "f", .stale_for = 100ms});
  f(0);
  EXPECT_TRUE(eventually([&] { return !f.peek(0); }, 2s));
  EXPECT_FALSE(cache.exists(f.key_for(0)));
}

TEST_P(Freshness, AHitLateInTheTtlRefreshesAheadOfItsEnd) {
  const auto f = numbered({.ttl = 60s, .prefix = "f", .refresh_ahead = 0.001});
  EXPECT_EQ(f(0), 1);
  EXPECT_TRUE(eventually([&] { return f(0) >= 2; }));
  EXPECT_GE(f.cache_info().loads, 2u);
  EXPECT_GE(cache.get_stats().early_refreshes, 1u);
  EXPECT_EQ(cache.get_stats().misses, 1u) << "nobody waited for a refresh";
}

TEST_P(Freshness, JitterShortensTtlsByItsFractionAtMost) {
  std::set<Duration> seen;
  for (int i = 0; i < 50; ++i) {
    const std::string key = "k" + std::to_string(i);
    cache.set(key, i, {.ttl = 1000s, .jitter = 0.2});
    const auto left = cache.get_ttl(key);
    ASSERT_TRUE(left);
    EXPECT_GT(*left, 795s);
    EXPECT_LE(*left, 1000s);
    seen.insert(std::chrono::floor<std::chrono::seconds>(*left));
  }
  EXPECT_GT(seen.size(), 5u) << "they do not end together";
}

TEST_P(Freshness, ASoftTimeoutGivesTheNewValueIfItComesInTime) {
  std::atomic<bool> slow = false;
  std::atomic<int> runs = 0;
  const auto f =
      cache.cached({.ttl = 50ms, .prefix = "f", .stale_for = 60s, .refresh_backoff = 1ms, .soft_timeout = 5s},
                   [&](int) { return ++runs; });
  const auto g = cache.cached({.ttl = 50ms, .prefix = "g", .stale_for = 60s, .soft_timeout = 20ms}, [&](int) {
    if (slow) eventually([&] { return !slow; });
    return ++runs;
  });
  EXPECT_EQ(f(0), 1);
  ASSERT_TRUE(becomes_stale(f));
  EXPECT_EQ(f(0), 2) << "the refresh ended in time";
  EXPECT_EQ(g(0), 3);
  ASSERT_TRUE(becomes_stale(g));
  slow = true;
  EXPECT_EQ(g(0), 3) << "it did not";
  slow = false;
  EXPECT_TRUE(eventually([&] { return g.peek(0) >= 4; })) << "the late result is stored";
}

TEST_P(Freshness, ALoadTimeoutIsAnErrorAndTheLateResultIsStored) {
  std::atomic<bool> slow = true;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .load_timeout = 30ms}, [&](int i) {
    eventually([&] { return !slow; });
    return i;
  });
  EXPECT_THROW(f(7), LoadTimeoutError);
  slow = false;
  EXPECT_TRUE(eventually([&] { return f.peek(7) == 7; }));
}

TEST_P(Freshness, TheValueSaysHowLongItIsGoodFor) {
  const auto f = cache.cached({.prefix = "f"}, [](int seconds) { return seconds; }).adaptive_ttl([](int value) {
    return std::chrono::seconds(value);
  });
  f(1000), f(0);
  EXPECT_GT(cache.get_ttl(f.key_for(1000)), 990s);
  EXPECT_LE(cache.get_ttl(f.key_for(1000)), 1000s);
  EXPECT_FALSE(f.peek(0)) << "zero is not stored";
}

TEST_P(Freshness, TtlZeroOfAWrapperStoresNothing) {
  const auto f = numbered({.ttl = 0s, .prefix = "f"});
  f(0), f(0);
  EXPECT_EQ(loads, 2);
  EXPECT_FALSE(f.peek(0));
}

TEST_P(Freshness, ForeverHasNoEnd) {
  const auto f = numbered({.ttl = forever, .prefix = "f"});
  f(0);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), forever);
}

TEST_P(Freshness, PresetsAndDefaultsHold) {
  cache.set_preset("p", {.ttl = 1000s});
  cache.set("k", 1, {.prefix = "p"});
  EXPECT_GT(cache.get_ttl("p:k"), 990s);
  CacheManager other = manager({.default_ttl = 2000s});
  other.set("default", 1);
  EXPECT_GT(other.get_ttl("default"), 1990s);
}

}  // namespace
}  // namespace dsta::cache
