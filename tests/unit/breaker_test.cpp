// When a server that does not do its work is left alone, how often it is tried meanwhile, and for how long.
#include "l2/client/breaker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "l2/client/reconnect_backoff.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using Phase = Breaker::Phase;

constexpr Duration kDeadline = 1s;
constexpr TimePoint kStart{1h};

/// A breaker that three failures opened, in the way of requests that fail although probes succeed.
Breaker opened() {
  Breaker breaker(kDeadline);
  for (int i = 0; i < 3; ++i) breaker.failed(kStart + i * kDeadline, false);
  return breaker;
}

TEST(Breaker, OpensAtTheThirdFailureInARow) {
  Breaker breaker(kDeadline);
  EXPECT_FALSE(breaker.failed(kStart, false));
  EXPECT_FALSE(breaker.failed(kStart + 1s, false));
  EXPECT_FALSE(breaker.refuses());
  EXPECT_TRUE(breaker.failed(kStart + 2s, false));
  EXPECT_TRUE(breaker.refuses());
  EXPECT_FALSE(breaker.failed(kStart + 3s, false)) << "it is open already";
}

TEST(Breaker, ASuccessBeginsTheCountAnew) {
  Breaker breaker(kDeadline);
  for (int i = 1; i < 20; ++i) {
    EXPECT_FALSE(breaker.failed(kStart + i * 1s, false));
    if (i % 2 == 0) breaker.succeeded();
  }
  EXPECT_EQ(breaker.phase(), Phase::closed);
}

TEST(Breaker, WhatFailsTogetherIsOneFailure) {
  Breaker breaker(kDeadline);
  for (const auto stall : {0s, 1s, 2s}) {
    for (int request = 0; request < 64; ++request) {
      const bool third = stall == 2s && request == 0;
      EXPECT_EQ(breaker.failed(kStart + stall + request * 5ms, false), third) << stall.count() << " " << request;
    }
  }
}

TEST(Breaker, AfterASuccessTheNextFailureCountsAtOnce) {
  Breaker breaker(kDeadline);
  breaker.failed(kStart, false);
  breaker.failed(kStart + 600ms, false);
  breaker.succeeded();
  breaker.failed(kStart + 700ms, false);
  breaker.failed(kStart + 1200ms, false);
  EXPECT_TRUE(breaker.failed(kStart + 1700ms, false));
}

TEST(Breaker, AServerThatSaysNotNowIsAFailureEachTime) {
  Breaker breaker(kDeadline);
  EXPECT_FALSE(breaker.refused(false));
  EXPECT_FALSE(breaker.refused(false));
  EXPECT_TRUE(breaker.refused(false));
}

TEST(Breaker, WhenRequestsFailedAProbeLetsOneRequestAtATimeTry) {
  Breaker breaker = opened();
  EXPECT_FALSE(breaker.let_through()) << "before a probe nobody tries";
  EXPECT_TRUE(breaker.holds_back()) << "whatever connections there are";
  EXPECT_FALSE(breaker.probe_succeeded());
  EXPECT_FALSE(breaker.refuses());
  EXPECT_TRUE(breaker.let_through());
  EXPECT_TRUE(breaker.refuses());
  EXPECT_FALSE(breaker.let_through()) << "the second is refused";
  EXPECT_TRUE(breaker.succeeded());
  EXPECT_EQ(breaker.phase(), Phase::closed);
  EXPECT_FALSE(breaker.failed(kStart + 5s, false)) << "and the count began again";
}

TEST(Breaker, AFailedHalfOpenRequestOpensItAgain) {
  Breaker breaker = opened();
  breaker.probe_succeeded();
  ASSERT_TRUE(breaker.let_through());
  EXPECT_FALSE(breaker.failed(kStart + 4s, false)) << "a late failure is not that of the half-open request";
  EXPECT_TRUE(breaker.failed(kStart + 4s, true));
  EXPECT_EQ(breaker.phase(), Phase::open);
  breaker.probe_succeeded();
  EXPECT_EQ(breaker.phase(), Phase::half_open) << "a probe proves as little as before";
}

TEST(Breaker, AHalfOpenRequestThatIsGivenUpPassesToTheNextCaller) {
  Breaker breaker = opened();
  breaker.probe_succeeded();
  ASSERT_TRUE(breaker.let_through());
  breaker.give_up();
  EXPECT_TRUE(breaker.let_through());
}

TEST(Breaker, WhenConnectingFailedAProbeClosesIt) {
  Breaker breaker(kDeadline);
  EXPECT_TRUE(breaker.open(true));
  EXPECT_FALSE(breaker.holds_back()) << "connections that work go on";
  EXPECT_FALSE(breaker.open(true));
  EXPECT_TRUE(breaker.probe_succeeded());
  EXPECT_EQ(breaker.phase(), Phase::closed);
}

TEST(Breaker, AnAnswerFromBeforeDoesNotCloseIt) {
  Breaker breaker = opened();
  EXPECT_FALSE(breaker.succeeded());
  EXPECT_TRUE(breaker.refuses());
}

TEST(Breaker, OnlyTheTransitionsOfTheTableArePossible) {
  const std::set<std::pair<Phase, Phase>> table = {
      {Phase::closed, Phase::open},       {Phase::open, Phase::closed},    {Phase::open, Phase::half_open},
      {Phase::half_open, Phase::testing}, {Phase::half_open, Phase::open}, {Phase::half_open, Phase::closed},
      {Phase::testing, Phase::half_open}, {Phase::testing, Phase::open},   {Phase::testing, Phase::closed}};
  const Phase all[] = {Phase::closed, Phase::open, Phase::half_open, Phase::testing};
  for (const Phase from : all) {
    for (const Phase to : all) EXPECT_EQ(Breaker::is_transition(from, to), table.contains({from, to}));
  }
  // And on a walk through all calls, each of which may come at any time, every one of them is seen and no other.
  std::set<std::pair<Phase, Phase>> seen;
  std::minstd_rand random(5);
  Breaker breaker(kDeadline);
  for (int step = 0; step < 20'000; ++step) {
    const Phase before = breaker.phase();
    const bool half_open_request = before == Phase::testing && random() % 2 == 0;
    switch (random() % 8) {
      case 0:
        breaker.let_through();
        break;
      case 1:
        breaker.give_up();
        break;
      case 2:
        breaker.succeeded();
        break;
      case 3:
      case 4:
        breaker.failed(kStart + step * 1s, half_open_request);
        break;
      case 5:
        breaker.refused(half_open_request);
        break;
      case 6:
        breaker.open(random() % 2 == 0);
        break;
      default:
        breaker.probe_succeeded();
    }
    if (breaker.phase() != before) seen.insert({before, breaker.phase()});
    EXPECT_EQ(breaker.refuses(), breaker.phase() == Phase::open || breaker.phase() == Phase::testing);
  }
  EXPECT_EQ(seen, table);
}

TEST(AttemptLimit, AllowsTwoInAnySecond) {
  AttemptLimit attempts;
  const TimePoint start{1h};
  EXPECT_LE(attempts.next(), start);
  attempts.note(start);
  EXPECT_LE(attempts.next(), start);
  attempts.note(start + 300ms);
  EXPECT_EQ(attempts.next(), start + 1s);
  attempts.note(start + 1s);
  EXPECT_EQ(attempts.next(), start + 1300ms);
  attempts.forget();
  EXPECT_LE(attempts.next(), start);
}

TEST(ProbePauses, AreDrawnFromAGrowingRangeBelowNineTenths) {
  std::minstd_rand random(7);
  Duration longest_first{}, longest{}, shortest = 1h;
  for (int round = 0; round < 1000; ++round) {
    ProbePauses pauses;
    longest_first = std::max(longest_first, pauses.next(random));
    for (int probe = 1; probe < 20; ++probe) {
      const Duration pause = pauses.next(random);
      longest = std::max(longest, pause);
      shortest = std::min(shortest, pause);
    }
  }
  EXPECT_LE(longest_first, 600ms);
  EXPECT_GT(longest, 840ms);
  EXPECT_LE(longest, 850ms);
  EXPECT_GE(shortest, 500ms);
  EXPECT_LT(shortest, 510ms);
}

TEST(ProbePatience, IsShortWhereConnectingIsFastAndAtTimesWhole) {
  ProbePatience patience;
  EXPECT_EQ(patience.next(10s), 10s) << "nothing is known yet";
  patience.connected_in(1ms);
  int whole = 0;
  for (int probe = 0; probe < 80; ++probe) {
    const Duration limit = patience.next(10s);
    whole += limit == 10s ? 1 : 0;
    EXPECT_TRUE(limit == 10s || limit == ProbePauses::kMost);
  }
  EXPECT_EQ(whole, 10);
  EXPECT_EQ(patience.next(300ms), 300ms) << "never more than was asked for";
  patience.connected_in(2s);
  EXPECT_EQ(patience.next(10s), 8s) << "a long way stays one";
}

}  // namespace
}  // namespace dsta::cache::detail
