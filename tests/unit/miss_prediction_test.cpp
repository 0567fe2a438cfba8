// Whether a load is expected to find nothing at L2.
#include "load/miss_prediction.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

struct MissPredictionTest : ::testing::Test {
  MissPrediction prediction;
  int function = 0;

  bool expects_miss() const { return prediction.expects_miss(&function); }
  void note(bool found, int times) {
    for (int i = 0; i < times; ++i) prediction.note(&function, found);
  }
};

TEST_F(MissPredictionTest, AFunctionIsExpectedToFindNothingOnceItHas) {
  EXPECT_FALSE(expects_miss()) << "hits of a process that has just started need no lease";
  note(false, 1);
  EXPECT_TRUE(expects_miss());
}

TEST_F(MissPredictionTest, FollowsWhatIsFound) {
  note(true, 10);
  EXPECT_FALSE(expects_miss());
  note(false, 10);
  EXPECT_TRUE(expects_miss());
}

TEST_F(MissPredictionTest, OneSurpriseChangesNothing) {
  note(true, 10);
  note(false, 1);
  EXPECT_FALSE(expects_miss());
  note(false, 1);
  EXPECT_TRUE(expects_miss());
  note(false, 10);
  note(true, 1);
  EXPECT_TRUE(expects_miss());
  note(true, 1);
  EXPECT_FALSE(expects_miss());
}

TEST_F(MissPredictionTest, FunctionsHaveCountersOfTheirOwn) {
  // They share a table without names: some of so many have the same place as the first.
  int others[64] = {};
  note(false, 10);
  int expecting = 0;
  for (int& other : others) expecting += prediction.expects_miss(&other) ? 1 : 0;
  EXPECT_LT(expecting, 32);
}

TEST_F(MissPredictionTest, PausesForAWhile) {
  const TimePoint now{100s};
  EXPECT_FALSE(prediction.paused(now));
  prediction.pause(now);
  EXPECT_TRUE(prediction.paused(now + 500ms));
  EXPECT_FALSE(prediction.paused(now + 2s));
}

}  // namespace
}  // namespace dsta::cache::detail
