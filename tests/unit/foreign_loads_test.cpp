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

constexpr ForeignLoads::Keys kMine = 0b101, kOthers = ~kMine;

/// Wakes until all threads are back: one that has not begun to wait misses a change.
void wake_until(ForeignLoads& loads, const std::atomic<int>& back, int threads) {
  while (back != threads) {
    loads.wake(ForeignLoads::kAllKeys);
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
        woken += loads.wait(kMine, 1h) ? 1 : 0;
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
  EXPECT_FALSE(loads.wait(kMine, 5ms));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 5ms);
}

TEST(ForeignLoads, AChangeBeforeAWaitDoesNotEndIt) {
  ForeignLoads loads;
  loads.wake(kMine);
  EXPECT_FALSE(loads.wait(kMine, 1ms));
  std::atomic<int> back{0};
  std::jthread waiting([&] {
    loads.wait(kMine, 1h);
    ++back;
  });
  wake_until(loads, back, 1);
  EXPECT_FALSE(loads.wait(kMine, 1ms)) << "nor does one that ended another wait";
}

TEST(ForeignLoads, AChangeOfOneOfItsKeysEndsAWaitAndOneOfOthersDoesNot) {
  ForeignLoads loads;
  std::atomic<bool> woken{false}, done{false};
  std::jthread waiting([&] {
    woken = loads.wait(kMine, 20ms);
    done = true;
  });
  while (!done) loads.wake(kOthers);
  waiting.join();
  EXPECT_FALSE(woken);
  done = false;
  std::jthread again([&] {
    woken = loads.wait(kMine, 1h);
    done = true;
  });
  while (!done) loads.wake(0b100);
  again.join();
  EXPECT_TRUE(woken);
}

}  // namespace
}  // namespace dsta::cache::detail
