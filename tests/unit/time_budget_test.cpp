// However many requests an operation is made of, it has one time for all of them, and what runs for the user uses none.
#include "base/time_budget.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
using Operation = TimeBudget::Operation;
using Pause = TimeBudget::Pause;

TEST(TimeBudget, OutsideOfAnOperationThereIsNone) {
  EXPECT_EQ(TimeBudget::end(), TimePoint::max());
  EXPECT_FALSE(TimeBudget::used_up());
}

TEST(TimeBudget, AnOperationEndsItsTimeFromNowAndGivesItBack) {
  const TimePoint before = SteadyClock::now();
  {
    const Operation operation(1h);
    EXPECT_GE(TimeBudget::end(), before + 1h);
    EXPECT_LE(TimeBudget::end(), SteadyClock::now() + 1h);
    EXPECT_FALSE(TimeBudget::used_up());
  }
  EXPECT_EQ(TimeBudget::end(), TimePoint::max());
}

TEST(TimeBudget, AnOperationInsideAnotherHasTheSameTime) {
  const Operation outer(1h);
  const TimePoint end = TimeBudget::end();
  {
    const Operation longer(100h), shorter(0s);
    EXPECT_EQ(TimeBudget::end(), end);
  }
  EXPECT_EQ(TimeBudget::end(), end) << "which does not end with it";
}

TEST(TimeBudget, WithoutTimeItIsUsedUpAtOnce) {
  const Operation operation(0s);
  EXPECT_TRUE(TimeBudget::used_up());
}

TEST(TimeBudget, EachThreadHasItsOwn) {
  const Operation operation(0s);
  TimePoint elsewhere{};
  std::jthread([&] { elsewhere = TimeBudget::end(); }).join();
  EXPECT_EQ(elsewhere, TimePoint::max());
  EXPECT_TRUE(TimeBudget::used_up());
}

TEST(TimeBudget, WhatRunsInAPauseHasTimeOfItsOwn) {
  const Operation operation(0s);
  const Pause pause;
  EXPECT_FALSE(TimeBudget::used_up()) << "the loader may ask the server, too";
  EXPECT_EQ(TimeBudget::end(), TimePoint::max());
  {
    const Operation inner(1h);
    EXPECT_GT(TimeBudget::end(), SteadyClock::now());
    EXPECT_LE(TimeBudget::end(), SteadyClock::now() + 1h);
  }
  EXPECT_EQ(TimeBudget::end(), TimePoint::max());
}

TEST(TimeBudget, APausePutsTheEndOffByWhatItTook) {
  const Operation operation(1h);
  const TimePoint end = TimeBudget::end();
  const TimePoint before = SteadyClock::now();
  Duration inside{};
  {
    const Pause pause;
    const TimePoint begun = SteadyClock::now();
    while ((inside = SteadyClock::now() - begun) < 1ms) {
    }
  }
  EXPECT_GE(TimeBudget::end() - end, inside);
  EXPECT_LE(TimeBudget::end() - end, SteadyClock::now() - before);
}

TEST(TimeBudget, APauseOutsideOfAnOperationChangesNothing) {
  { const Pause pause; }
  EXPECT_EQ(TimeBudget::end(), TimePoint::max());
}

TEST(TimeBudget, APauseInsideAPauseCountsOnce) {
  const Operation operation(1h);
  const TimePoint end = TimeBudget::end();
  const TimePoint before = SteadyClock::now();
  {
    const Pause outer;
    const Pause inner;
    const TimePoint begun = SteadyClock::now();
    while (SteadyClock::now() - begun < 1ms) {
    }
  }
  EXPECT_GE(TimeBudget::end() - end, 1ms);
  EXPECT_LE(TimeBudget::end() - end, SteadyClock::now() - before);
}

TEST(TimeBudget, ASweepGoesOnBeyondItsEndOnlyAfterManyParts) {
  const Operation operation(0s);
  const TimePoint end = TimeBudget::end();
  TimeBudget::Sweep sweep(4h);
  for (int part = 0; part < 8; ++part) sweep.part_done();
  EXPECT_EQ(TimeBudget::end(), end) << "a few parts are an operation like others";
  const TimePoint before = SteadyClock::now();
  sweep.part_done();
  EXPECT_GE(TimeBudget::end(), before + 1h) << "a quarter of the limit for the next part";
  EXPECT_LE(TimeBudget::end(), SteadyClock::now() + 1h);
}

TEST(TimeBudget, ASweepNeverShortensItsTime) {
  const Operation operation(100h);
  const TimePoint end = TimeBudget::end();
  TimeBudget::Sweep sweep(1s);
  for (int part = 0; part < 100; ++part) sweep.part_done();
  EXPECT_EQ(TimeBudget::end(), end);
}

TEST(TimeBudget, ASweepOutsideOfAnOperationHasNoEnd) {
  TimeBudget::Sweep sweep(1s);
  for (int part = 0; part < 100; ++part) sweep.part_done();
  EXPECT_EQ(TimeBudget::end(), TimePoint::max());
}

}  // namespace
}  // namespace dsta::cache::detail
