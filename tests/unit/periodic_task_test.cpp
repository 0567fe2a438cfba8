// A thread for what must be done at a time, or when something was left to do.
#include "base/periodic_task.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <new>
#include <semaphore>
#include <thread>

#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::scaled;

const auto kLater = [] { return std::chrono::steady_clock::now() + 1h; };

/// So that a call that never comes fails the test instead of stopping it.
bool comes(std::promise<void>& promise) { return promise.get_future().wait_for(20s) == std::future_status::ready; }

TEST(PeriodicTask, CallsNobodyUnasked) {
  std::atomic<int> calls = 0;
  PeriodicTask task([&] { return ++calls, TimePoint::max(); });
  task.wake(kLater());
  task.stop();
  EXPECT_EQ(calls, 0);
}

TEST(PeriodicTask, WhatThrewIsTriedAgain) {
  std::promise<void> again;
  int calls = 0;
  PeriodicTask task([&]() -> TimePoint {
    if (++calls == 1) throw std::bad_alloc();
    again.set_value();
    return TimePoint::max();
  });
  task.wake();
  EXPECT_TRUE(comes(again));
}

TEST(PeriodicTask, AWakeUpCalls) {
  std::promise<void> called;
  PeriodicTask task([&] { return called.set_value(), TimePoint::max(); });
  task.wake();
  EXPECT_TRUE(comes(called));
}

TEST(PeriodicTask, EveryWakeCallsAlsoAThreadGoingToSleep) {
  std::counting_semaphore<> calls(0);
  PeriodicTask task([&] { return calls.release(), TimePoint::max(); });
  for (std::size_t round = 0; round < scaled(2'000); ++round) {
    task.wake();
    ASSERT_TRUE(calls.try_acquire_for(20s)) << round;
    for (std::size_t turns = round % 8; turns != 0; --turns) std::this_thread::yield();
  }
}

TEST(PeriodicTask, AnEarlierTimeIsNotDelayedByALaterOne) {
  for (const bool later_first : {true, false}) {
    std::promise<void> called;
    PeriodicTask task([&] { return called.set_value(), TimePoint::max(); });
    if (later_first) task.wake(kLater());
    task.wake();
    if (!later_first) task.wake(kLater());
    EXPECT_TRUE(comes(called)) << later_first;
  }
}

TEST(PeriodicTask, AStepThatWantsToBeCalledAgainIs) {
  std::promise<void> fifth;
  int calls = 0;
  PeriodicTask task([&] {
    if (++calls == 5) fifth.set_value();
    return calls < 5 ? std::chrono::steady_clock::now() + 1ms : TimePoint::max();
  });
  task.wake();
  EXPECT_TRUE(comes(fifth));
  task.stop();
  EXPECT_EQ(calls, 5) << "and no more once it wants nothing";
}

TEST(PeriodicTask, NoStepBeginsBeforeTheTimeThatTheLastOneAskedFor) {
  std::promise<void> second;
  TimePoint asked_for{}, begun{};
  PeriodicTask task([&] {
    if (asked_for == TimePoint{}) return asked_for = std::chrono::steady_clock::now() + 20ms;
    begun = std::chrono::steady_clock::now();
    second.set_value();
    return TimePoint::max();
  });
  task.wake();
  ASSERT_TRUE(comes(second));
  task.stop();
  EXPECT_GE(begun, asked_for);
}

TEST(PeriodicTask, WhatIsLeftToDoDuringAStepIsDoneByTheNext) {
  std::latch begun(1), woken(1);
  std::promise<void> again;
  int calls = 0;
  PeriodicTask task([&] {
    if (++calls == 1) {
      begun.count_down();
      woken.wait();  // the step has looked already and saw nothing of it
    } else {
      again.set_value();
    }
    return TimePoint::max();
  });
  task.wake();
  begun.wait();
  task.wake();
  woken.count_down();
  EXPECT_TRUE(comes(again));
}

TEST(PeriodicTask, AtItsEndNoStepIsUnderWay) {
  std::latch begun(1), go_on(1);
  std::atomic<bool> ended = false;
  PeriodicTask task([&] {
    if (ended) return TimePoint{};
    begun.count_down();
    go_on.wait();
    ended = true;
    return TimePoint{};  // at once again, if it were let
  });
  task.wake();
  begun.wait();
  std::jthread stopper([&] {
    task.stop();
    EXPECT_TRUE(ended);
  });
  go_on.count_down();
}

TEST(PeriodicTask, MayBeStoppedTwiceAndNeverStarted) {
  PeriodicTask task([] { return TimePoint::max(); });
  task.stop();
  task.stop();
  task.wake();
}

}  // namespace
}  // namespace dsta::cache::detail
