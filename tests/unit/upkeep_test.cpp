// A thread for what must be done at a time, or when something was left to do.
#include "base/upkeep.hpp"

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

TEST(Upkeep, CallsNobodyUnasked) {
  std::atomic<int> calls = 0;
  Upkeep upkeep([&] { return ++calls, TimePoint::max(); });
  upkeep.poke(kLater());
  upkeep.stop();
  EXPECT_EQ(calls, 0);
}

TEST(Upkeep, WhatThrewIsTriedAgain) {
  std::promise<void> again;
  int calls = 0;
  Upkeep upkeep([&]() -> TimePoint {
    if (++calls == 1) throw std::bad_alloc();
    again.set_value();
    return TimePoint::max();
  });
  upkeep.poke();
  EXPECT_TRUE(comes(again));
}

TEST(Upkeep, APokeCalls) {
  std::promise<void> called;
  Upkeep upkeep([&] { return called.set_value(), TimePoint::max(); });
  upkeep.poke();
  EXPECT_TRUE(comes(called));
}

TEST(Upkeep, EveryPokeCallsAlsoOneThatFindsTheThreadGoingToSleep) {
  std::counting_semaphore<> calls(0);
  Upkeep upkeep([&] { return calls.release(), TimePoint::max(); });
  for (std::size_t round = 0; round < scaled(2'000); ++round) {
    upkeep.poke();
    ASSERT_TRUE(calls.try_acquire_for(20s)) << round;
    for (std::size_t turns = round % 8; turns != 0; --turns) std::this_thread::yield();
  }
}

TEST(Upkeep, AnEarlierTimeIsNotPutOffByALaterOneNorWaitsForIt) {
  for (const bool later_first : {true, false}) {
    std::promise<void> called;
    Upkeep upkeep([&] { return called.set_value(), TimePoint::max(); });
    if (later_first) upkeep.poke(kLater());
    upkeep.poke();
    if (!later_first) upkeep.poke(kLater());
    EXPECT_TRUE(comes(called)) << later_first;
  }
}

TEST(Upkeep, AStepThatWantsToBeCalledAgainIs) {
  std::promise<void> fifth;
  int calls = 0;
  Upkeep upkeep([&] {
    if (++calls == 5) fifth.set_value();
    return calls < 5 ? std::chrono::steady_clock::now() + 1ms : TimePoint::max();
  });
  upkeep.poke();
  EXPECT_TRUE(comes(fifth));
  upkeep.stop();
  EXPECT_EQ(calls, 5) << "and no more once it wants nothing";
}

TEST(Upkeep, NoStepBeginsBeforeTheTimeThatTheLastOneAskedFor) {
  std::promise<void> second;
  TimePoint asked_for{}, begun{};
  Upkeep upkeep([&] {
    if (asked_for == TimePoint{}) return asked_for = std::chrono::steady_clock::now() + 20ms;
    begun = std::chrono::steady_clock::now();
    second.set_value();
    return TimePoint::max();
  });
  upkeep.poke();
  ASSERT_TRUE(comes(second));
  upkeep.stop();
  EXPECT_GE(begun, asked_for);
}

TEST(Upkeep, WhatIsLeftToDoDuringAStepIsDoneByAnother) {
  std::latch begun(1), poked(1);
  std::promise<void> again;
  int calls = 0;
  Upkeep upkeep([&] {
    if (++calls == 1) {
      begun.count_down();
      poked.wait();  // the step has looked already and saw nothing of it
    } else {
      again.set_value();
    }
    return TimePoint::max();
  });
  upkeep.poke();
  begun.wait();
  upkeep.poke();
  poked.count_down();
  EXPECT_TRUE(comes(again));
}

TEST(Upkeep, AtItsEndNoStepIsUnderWay) {
  std::latch begun(1), go_on(1);
  std::atomic<bool> ended = false;
  Upkeep upkeep([&] {
    if (ended) return TimePoint{};
    begun.count_down();
    go_on.wait();
    ended = true;
    return TimePoint{};  // at once again, if it were let
  });
  upkeep.poke();
  begun.wait();
  std::jthread stopper([&] {
    upkeep.stop();
    EXPECT_TRUE(ended);
  });
  go_on.count_down();
}

TEST(Upkeep, MayBeStoppedTwiceAndNeverStarted) {
  Upkeep upkeep([] { return TimePoint::max(); });
  upkeep.stop();
  upkeep.stop();
  upkeep.poke();
}

}  // namespace
}  // namespace dsta::cache::detail
