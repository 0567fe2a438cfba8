// When a server that does not do its work is left alone, how often it is tried meanwhile, and for how long.
#include "l2/breaker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "l2/probing.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using State = Breaker::State;

/// A breaker that three failures opened, in the way of requests that fail although probes succeed.
Breaker opened() {
  Breaker breaker;
  for (std::uint64_t line = 1; line <= 3; ++line) breaker.failed(line, line, false);
  return breaker;
}

TEST(Breaker, OpensAtTheThirdFailureInARow) {
  Breaker breaker;
  EXPECT_FALSE(breaker.failed(1, 1, false));
  EXPECT_FALSE(breaker.failed(2, 2, false));
  EXPECT_FALSE(breaker.refuses());
  EXPECT_TRUE(breaker.failed(3, 3, false));
  EXPECT_TRUE(breaker.refuses());
  EXPECT_FALSE(breaker.failed(4, 4, false)) << "it is open already";
}

TEST(Breaker, ASuccessBeginsTheCountAnew) {
  Breaker breaker;
  for (std::uint64_t line = 1; line < 20; ++line) {
    EXPECT_FALSE(breaker.failed(line, line, false));
    if (line % 2 == 0) breaker.succeeded();
  }
  EXPECT_EQ(breaker.state(), State::closed);
}

TEST(Breaker, ManyRequestsOnAConnectionAreOneFailure) {
  Breaker breaker;
  for (int request = 0; request < 64; ++request) EXPECT_FALSE(breaker.failed(1, 1, false));
  for (int request = 0; request < 64; ++request) EXPECT_FALSE(breaker.failed(2, 2, false));
  EXPECT_TRUE(breaker.failed(3, 3, false));
}

TEST(Breaker, ConnectionsThatDieOfTheSameStallAreOneFailure) {
  Breaker breaker;
  for (std::uint64_t line = 1; line <= 8; ++line) EXPECT_FALSE(breaker.failed(line, 8, false));
  EXPECT_FALSE(breaker.failed(9, 9, false));
  EXPECT_TRUE(breaker.failed(10, 10, false));
}

TEST(Breaker, AServerThatSaysNotNowIsAFailureEachTime) {
  Breaker breaker;
  EXPECT_FALSE(breaker.failed(0, 1, false));
  EXPECT_FALSE(breaker.failed(0, 1, false));
  EXPECT_TRUE(breaker.failed(0, 1, false));
}

TEST(Breaker, WhenRequestsFailedAProbeLetsOneRequestAtATimeTry) {
  Breaker breaker = opened();
  EXPECT_FALSE(breaker.begin_trial()) << "before a probe nobody tries";
  EXPECT_FALSE(breaker.probed());
  EXPECT_FALSE(breaker.refuses());
  EXPECT_TRUE(breaker.begin_trial());
  EXPECT_TRUE(breaker.refuses());
  EXPECT_FALSE(breaker.begin_trial()) << "the second is refused";
  EXPECT_TRUE(breaker.succeeded());
  EXPECT_EQ(breaker.state(), State::closed);
  EXPECT_FALSE(breaker.failed(4, 4, false)) << "and the count began anew";
}

TEST(Breaker, AFailedTrialOpensItAgain) {
  Breaker breaker = opened();
  breaker.probed();
  ASSERT_TRUE(breaker.begin_trial());
  EXPECT_FALSE(breaker.failed(3, 4, false)) << "a straggler is not the trial";
  EXPECT_TRUE(breaker.failed(4, 4, true));
  EXPECT_EQ(breaker.state(), State::open);
  breaker.probed();
  EXPECT_EQ(breaker.state(), State::trial) << "a probe proves as little as before";
}

TEST(Breaker, ATrialThatCameToNothingIsTheNextOnes) {
  Breaker breaker = opened();
  breaker.probed();
  ASSERT_TRUE(breaker.begin_trial());
  breaker.give_back();
  EXPECT_TRUE(breaker.begin_trial());
}

TEST(Breaker, WhenConnectingFailedAProbeClosesIt) {
  Breaker breaker;
  EXPECT_TRUE(breaker.open(true));
  EXPECT_FALSE(breaker.open(true));
  EXPECT_TRUE(breaker.probed());
  EXPECT_EQ(breaker.state(), State::closed);
}

TEST(Breaker, AnAnswerFromBeforeDoesNotCloseIt) {
  Breaker breaker = opened();
  EXPECT_FALSE(breaker.succeeded());
  EXPECT_TRUE(breaker.refuses());
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

TEST(ProbePauses, AreDrawnFromARangeThatGrowsAndStayBelowNineTenthsOfASecond) {
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

TEST(ProbePatience, IsShortWhereConnectingIsKnownToBeShortAndNowAndThenWhole) {
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
