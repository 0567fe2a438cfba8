// The time for the hit path.
#include "base/cached_clock.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::scaled;

TEST(CachedClock, IsNeverAheadOfTheClockWhileThreadsAreBusy) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([] {
      for (std::size_t i = 0; i < scaled(400'000); ++i) {
        const TimePoint now = CachedClock::now();
        ASSERT_LE(now, std::chrono::steady_clock::now());
      }
    });
  }
}

TEST(CachedClock, FollowsTheClockWhetherATickerRunsOrNot) {
  const auto follows = [] {
    const TimePoint begun = CachedClock::now();
    return eventually([&] { return CachedClock::now() >= begun + 30ms; });
  };
  EXPECT_TRUE(follows());
  for (int i = 0; i < 100'000; ++i) CachedClock::now();
  EXPECT_TRUE(follows());
}

TEST(CachedClock, AfterABreakTheTimeIsTheClocks) {
  for (int i = 0; i < 100'000; ++i) CachedClock::now();
  bool ticks = false;
  // The coarse clock's steps are up to 10 ms.
  const TimePoint before = std::chrono::steady_clock::now() - 20ms;
  EXPECT_GE(CachedClock::now_after_break(ticks), before);
}

TEST(CachedClock, BusyReadersStartTheTicker) {
  bool ticks = false;
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 20'000; ++i) CachedClock::now();
    CachedClock::now_after_break(ticks);
    return ticks;
  }));
}

}  // namespace
}  // namespace dsta::cache::detail
