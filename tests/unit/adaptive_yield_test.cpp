// Yielding is used where it does more, and hardly tried where it does not.
#include "l2/client/adaptive_yield.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

/// Requests that are completed ten at a time, at a rate that depends on the way; the time is the test's.
struct Load {
  AdaptiveYield yield;
  TimePoint now{1h};

  /// The share of the time in which callers yielded.
  double run(Duration time, double holding, double yielding) {
    Duration yielded{};
    const TimePoint end = now + time;
    while (now < end) {
      const bool yields = yield.pays();
      const auto taken =
          std::chrono::duration_cast<Duration>(std::chrono::duration<double>(10 / (yields ? yielding : holding)));
      now += taken;
      if (yields) yielded += taken;
      yield.completed(10, now);
    }
    return std::chrono::duration<double>(yielded) / std::chrono::duration<double>(time);
  }
};

TEST(AdaptiveYield, BeginsWithoutAndYieldsWhereThatDoesMore) {
  Load load;
  EXPECT_FALSE(load.yield.pays());
  load.run(100ms, 40'000, 80'000);
  EXPECT_GT(load.run(1s, 40'000, 80'000), 0.9);
}

TEST(AdaptiveYield, HardlyTriesWhatCostsTimeSlices) {
  Load load;
  load.run(200ms, 40'000, 2'000);
  EXPECT_LT(load.run(10s, 40'000, 2'000), 0.15);
}

TEST(AdaptiveYield, GoesByWhatIsNow) {
  Load load;
  load.run(2s, 40'000, 80'000);
  EXPECT_TRUE(load.yield.pays());
  // Other processes begin to run beside it, and end.
  load.run(1s, 40'000, 4'000);
  EXPECT_LT(load.run(2s, 40'000, 4'000), 0.2);
  load.run(1s, 40'000, 80'000);
  EXPECT_GT(load.run(1s, 40'000, 80'000), 0.9);
}

TEST(AdaptiveYield, StaysWhereNothingIsWonOrLittleIsToDo) {
  Load equal, idle;
  equal.run(100ms, 20'000, 20'000);
  EXPECT_LT(equal.run(10s, 20'000, 20'000), 0.1);
  EXPECT_EQ(idle.run(60s, 400, 4'000), 0) << "fewer than are worth a comparison";
}

TEST(AdaptiveYield, DoesNotDivideByAPauseOfTheUser) {
  Load load;
  for (int i = 0; i < 50; ++i) {
    load.run(20ms, 40'000, 80'000);
    load.now += 1h;
  }
  load.run(100ms, 40'000, 80'000);
  EXPECT_GT(load.run(1s, 40'000, 80'000), 0.9);
}

}  // namespace
}  // namespace dsta::cache::detail
