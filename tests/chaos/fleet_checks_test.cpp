// The checks of fleets find what they are for: over managers that share nothing each process loads, and each
// invalidation of another is missed.
#include <gtest/gtest.h>

#include "fleet.hpp"

namespace dsta::cache {
namespace {

using namespace testing_support;

struct FleetChecks : ::testing::Test {
  Fleet fleet{FLEET_WORKER};
  FleetBoard& board = fleet.board();
};

TEST_F(FleetChecks, CountALoadForEachProcessThatSharesNothing) {
  for (int i = 0; i < 2; ++i) fleet.start("load", "memory:", {"8", "50"});
  ASSERT_TRUE(fleet.reaches(board.ready, 2));
  board.go = 1;
  ASSERT_TRUE(fleet.reaches(board.finished, 16));
  EXPECT_EQ(board.loads, 2u);
  EXPECT_EQ(board.failures, 0u) << fleet.log();
  EXPECT_TRUE(fleet.all_end());
}

TEST_F(FleetChecks, SeeAtOnceThatAKilledProcessWillNotFinish) {
  ChildProcess& worker = fleet.start("load", "memory:", {"1", "60000"});
  ASSERT_TRUE(fleet.reaches(board.ready, 1));
  board.go = 1;
  ASSERT_TRUE(fleet.reaches(board.loads, 1));
  worker.signal(SIGKILL);
  EXPECT_FALSE(fleet.reaches(board.finished, 1));
}

TEST_F(FleetChecks, CountEveryInvalidationThatIsNotHeard) {
  constexpr std::uint64_t kRounds = 50;
  fleet.start("interleave", "memory:", {"1"});
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    board.round = round;
    ASSERT_TRUE(fleet.reaches(board.reading, round));
    board.source = round;
    board.release = round;
    ASSERT_TRUE(fleet.reaches(board.done, round));
  }
  board.stop = 1;
  EXPECT_TRUE(fleet.all_end());
  EXPECT_EQ(board.stale, kRounds);
  EXPECT_EQ(board.failures, 0u);
}

}  // namespace
}  // namespace dsta::cache
