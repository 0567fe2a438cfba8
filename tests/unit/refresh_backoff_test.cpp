// When the source fails: who is served what, and how soon it is asked again.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <functional>
#include <latch>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "failing_source.hpp"
#include "hand_executor.hpp"
#include "on_threads.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Core;
using testing_support::FullExecutor;
using testing_support::on_threads;

constexpr std::size_t kCallers = 20;

struct RefreshBackoff : testing_support::FailingSource {};

TEST_F(RefreshBackoff, TwentyCallersOfAFailingRefreshGetStale) {
  const auto f = source({.ttl = 60s, .prefix = "p", .stale_for = 1h});
  EXPECT_EQ(f(0), 1);
  clock.advance(61s);
  down = true;
  std::barrier together(static_cast<std::ptrdiff_t>(kCallers));
  std::atomic<int> stale = 0;
  on_threads(kCallers, [&](std::size_t) {
    together.arrive_and_wait();
    stale += f(0) == 1 ? 1 : 0;
  });
  EXPECT_EQ(stale, 20);
  EXPECT_EQ(background->run(), 1u);
  EXPECT_EQ(runs, 2);
  on_threads(kCallers, [&](std::size_t) { stale += f(0) == 1 ? 1 : 0; });
  EXPECT_EQ(stale, 40);
  EXPECT_EQ(background->waiting(), 0u) << "the next attempt waits for the refresh backoff";
  EXPECT_EQ(f.cache_info().stale_served, 40u);
}

TEST_F(RefreshBackoff, TwentyCallersOfAFailingLoadShareOneError) {
  std::latch waiting(kCallers - 1);
  cache.core()->probe = [&](Core::Point point, std::string_view) {
    if (point == Core::Point::before_wait) waiting.count_down();
  };
  const auto f = cache.cached({.prefix = "p"}, [&](int) -> int {
    waiting.wait();
    ++runs;
    throw std::runtime_error("down");
  });
  std::atomic<int> received = 0;
  on_threads(kCallers, [&](std::size_t) {
    try {
      f(0);
    } catch (const std::runtime_error&) {
      ++received;
    }
  });
  EXPECT_EQ(received, 20);
  EXPECT_EQ(runs, 1);
}

TEST_F(RefreshBackoff, TheNextAttemptIsMadeWhenTheBackoffIsOver) {
  const auto f = source({.ttl = 60s, .prefix = "p", .stale_for = 1h, .refresh_backoff = 30s});
  f(0);
  clock.advance(60s);
  down = true;
  f(0);
  background->run();
  clock.advance(30s - 1ns);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(background->waiting(), 0u);
  clock.advance(1ns);
  EXPECT_EQ(f(0), 1);
  down = false;
  EXPECT_EQ(background->run(), 1u);
  EXPECT_EQ(f(0), 3);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), 60s);
}

TEST_F(RefreshBackoff, AFailedRefreshAheadBacksOffToo) {
  const auto f = source({.ttl = 100s, .prefix = "p", .refresh_backoff = 10s, .refresh_ahead = 0.5});
  f(0);
  clock.advance(50s);
  down = true;
  f(0);
  background->run();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(f(0), 1);
  EXPECT_EQ(background->waiting(), 0u);
  clock.advance(10s);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(background->waiting(), 1u);
}

TEST_F(RefreshBackoff, ManualReadsServeTheStaleValueAllTheTime) {
  const auto f = source({.ttl = 60s, .prefix = "p", .stale_for = 1h});
  f(0);
  clock.advance(60s);
  down = true;
  f(0);
  background->run();
  const auto found = cache.lookup<int>(f.key_for(0));
  EXPECT_EQ(found.value, 1);
  EXPECT_TRUE(found.stale);
  EXPECT_EQ(f.peek(0), 1);
}

TEST_F(RefreshBackoff, AManualRefreshDoesNotWaitAndThrows) {
  const auto f = source({.ttl = 60s, .prefix = "p", .stale_for = 1h, .refresh_backoff = 30s});
  f(0);
  down = true;
  EXPECT_THROW(f.refresh(0), std::runtime_error);
  EXPECT_EQ(f(0), 1) << "what was there stays";
  clock.advance(60s);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(background->run(), 1u) << "the refresh backoff of the failed refresh is long over";
  down = false;
  EXPECT_GT(f.refresh(0), 1);
}

TEST_F(RefreshBackoff, ASuccessOrANewValueEndsTheBackoff) {
  const auto f = source({.ttl = 60s, .prefix = "p", .stale_for = 1h, .refresh_backoff = 1000s});
  f(0);
  clock.advance(60s);
  down = true;
  f(0);
  background->run();
  f.put(0, 500);
  clock.advance(60s);
  EXPECT_EQ(f(0), 500);
  EXPECT_EQ(background->waiting(), 1u);
}

TEST_F(RefreshBackoff, WithoutAStaleValueTheErrorReachesCallers) {
  const auto f = source({.ttl = 60s, .prefix = "p", .stale_for = 10s, .refresh_backoff = 1000s});
  f(0);
  clock.advance(65s);
  down = true;
  EXPECT_EQ(f(0), 1);
  background->run();
  clock.advance(5s);
  EXPECT_THROW(f(0), std::runtime_error);
  f.put(0, 7);
  f.invalidate(0);
  EXPECT_THROW(f(0), std::runtime_error) << "an invalidated value is gone, backoff or not";
}

TEST_F(RefreshBackoff, AnAnswerThatIsNotKeptRemovesTheOldValue) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "p", .stale_for = 1h}, [&](int) { return ++runs == 1 ? 1 : -1; })
                     .condition([](int value) { return value > 0; });
  EXPECT_EQ(f(0), 1);
  clock.advance(60s);
  EXPECT_EQ(f(0), 1);
  background->run();
  EXPECT_FALSE(f.peek(0)) << "the source has said that this is over";
  EXPECT_EQ(f(0), -1);
}

TEST_F(RefreshBackoff, ARefreshThatWasNeverBegunIsNoFailure) {
  testing::CleanCache full({.executor = std::make_shared<FullExecutor>()});
  const auto f = full.cache.cached({.ttl = 60s, .prefix = "p", .stale_for = 1h}, [this](int) { return ++runs; });
  f(0);
  full.clock->advance(61s);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(f.cache_info().load_failures, 0u);
  EXPECT_EQ(full.cache.get_stats().early_refreshes, 0u);
}

struct OverlappingRefreshes : RefreshBackoff {
  /// Runs `second` while the first refresh has read the source and has not landed yet.
  template <class Second>
  void during_a_refresh(Second second) {
    bool once = false;
    cache.core()->probe = [&](Core::Point point, std::string_view) {
      if (point == Core::Point::before_store && !std::exchange(once, true)) std::jthread(second).join();
    };
    first_result = f.refresh(0);
    cache.core()->probe = nullptr;
  }
  cached<std::function<int(int)>> f =
      cache.cached({.prefix = "p"}, std::function<int(int)>([this](int) { return ask(); }));
  int first_result = 0;
};

TEST_F(OverlappingRefreshes, OneThatFailsKeepsTheOlderOnesValue) {
  EXPECT_EQ(f(0), 1);
  during_a_refresh([&] {
    down = true;
    EXPECT_THROW(f.refresh(0), std::runtime_error);
  });
  EXPECT_EQ(first_result, 2);
  EXPECT_EQ(f.peek(0), 2);
}

TEST_F(OverlappingRefreshes, TheLaterOnesValueStays) {
  during_a_refresh([&] { EXPECT_EQ(f.refresh(0), 2); });
  EXPECT_EQ(first_result, 1);
  EXPECT_EQ(f.peek(0), 2);
  EXPECT_EQ(f.cache_info().fenced, 1u);
}

TEST_F(OverlappingRefreshes, NobodyJoinsALoadThatARefreshCameAfter) {
  during_a_refresh([&] {
    std::jthread([&] { EXPECT_EQ(f.refresh(0), 2); }).join();
    EXPECT_EQ(f(0), 2);
  });
}

}  // namespace
}  // namespace dsta::cache
