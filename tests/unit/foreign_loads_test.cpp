// Waiting for loads of other processes: a change at L2 wakes who waits, a pause ends the wait of the others.
#include "two_level/foreign_loads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

/// Wakes until all threads are back: one that has not begun to wait misses a change.
void wake_until(ForeignLoads& loads, const std::atomic<int>& back, int threads) {
  while (back != threads) {
    loads.wake();
    std::this_thread::yield();
  }
}

TEST(ForeignLoads, AChangeEndsEveryWaitBeforeItsPauseIsOver) {
  ForeignLoads loads;
  std::atomic<int> woken{0}, back{0};
  const TimePoint begun = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        woken += loads.wait(1h) ? 1 : 0;
        ++back;
      });
    }
    wake_until(loads, back, 3);
  }
  EXPECT_EQ(woken, 3);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1min);
}

TEST(ForeignLoads, WithoutAChangeAWaitLastsItsPause) {
  ForeignLoads loads;
  const TimePoint begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(loads.wait(5ms));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 5ms);
}

TEST(ForeignLoads, AChangeBeforeAWaitDoesNotEndIt) {
  ForeignLoads loads;
  loads.wake();
  EXPECT_FALSE(loads.wait(1ms));
  std::atomic<int> back{0};
  std::jthread waiting([&] {
    loads.wait(1h);
    ++back;
  });
  wake_until(loads, back, 1);
  EXPECT_FALSE(loads.wait(1ms)) << "nor does one that ended another wait";
}

}  // namespace
}  // namespace dsta::cache::detail
