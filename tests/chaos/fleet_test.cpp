// Many processes on one server: one load for all of them, also when its process dies, and no value from before an
// invalidation after it.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "fleet.hpp"
#include "heavy.hpp"
#include "interleaved_invalidations.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using SteadyClock = std::chrono::steady_clock;

struct FleetTest : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    server = std::make_unique<RedisServer>();
  }
  /// A generous deadline: 512 threads share two processors.
  std::string url() const { return server->url() + "?socket_timeout=10s&l1=" + (GetParam() ? "true" : "false"); }
  std::unique_ptr<RedisServer> server;
  Fleet fleet{FLEET_WORKER};
  FleetBoard& board = fleet.board();
};
INSTANTIATE_TEST_SUITE_P(On, FleetTest, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(FleetTest, EightProcessesOfManyThreadsOnOneColdKeyLoadOnce) {
  const std::size_t threads = heavy(64, 16);
  for (int i = 0; i < 8; ++i) fleet.start("load", url(), {std::to_string(threads), "200"});
  ASSERT_TRUE(fleet.reaches(board.ready, 8));
  board.go = 1;
  ASSERT_TRUE(fleet.reaches(board.finished, 8 * threads));
  EXPECT_EQ(board.loads, 1u);
  EXPECT_EQ(board.failures, 0u) << fleet.log();
}

TEST_P(FleetTest, AnotherTakesOverADeadProcessesLoadInTime) {
  ChildProcess& holder = fleet.start("load", url(), {"1", "60000"});
  ASSERT_TRUE(fleet.reaches(board.ready, 1));
  board.go = 1;
  ASSERT_TRUE(fleet.reaches(board.loads, 1));
  for (int i = 0; i < 3; ++i) fleet.start("load", url(), {"4", "10"});
  ASSERT_TRUE(fleet.reaches(board.ready, 4));
  std::this_thread::sleep_for(500ms);  // they wait for the holder by now
  EXPECT_EQ(board.loads, 1u);
  EXPECT_EQ(board.finished, 0u);
  holder.signal(SIGKILL);
  const auto killed = SteadyClock::now();
  ASSERT_TRUE(fleet.reaches(board.finished, 1, 6s));
  const std::chrono::duration<double> took = SteadyClock::now() - killed;
  std::printf("taken over after %.1f s\n", took.count());
  ASSERT_TRUE(fleet.reaches(board.finished, 12));
  EXPECT_EQ(board.loads, 2u) << "one of them, for all";
  EXPECT_EQ(board.failures, 0u);
}

TEST_P(FleetTest, ALoadLongerThanTheLeaseIsStillTheOnlyOne) {
  for (int i = 0; i < 4; ++i) fleet.start("load", url(), {"2", "5000"});
  ASSERT_TRUE(fleet.reaches(board.ready, 4));
  board.go = 1;
  ASSERT_TRUE(fleet.reaches(board.finished, 8));
  EXPECT_EQ(board.loads, 1u);
  EXPECT_EQ(board.failures, 0u);
}

TEST_P(FleetTest, AnInvalidationBetweenReadAndStoreIsNeverUndone) {
  expect_no_invalidation_undone(fleet, server->url(), url(), GetParam(), heavy(10'000, scaled(400)));
}

struct StoppedProcess : ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Level, StoppedProcess, ::testing::Values("both", "l1"),
                         [](const auto& tested) { return tested.param; });

/// After a stop longer than two ping periods, also in threads that read before the thread of the invalidation channel
/// runs.
TEST_P(StoppedProcess, ReadsNothingOldWhenItGoesOn) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  const RedisServer server;
  Fleet fleet(FLEET_WORKER);
  FleetBoard& board = fleet.board();
  const std::string url = server.url() + "?socket_timeout=10s&ping_period=100ms";
  CacheManager cache(over_redis(url, true, 10s));
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](std::uint64_t) { return std::uint64_t{0}; });
  const std::function<void()> kWays[] = {[&] { cache.invalidate_tag("t"); }, [&] { f.cache_clear(); }};
  ChildProcess& reader = fleet.start("reread", url, {GetParam()});
  for (std::uint64_t round = 1; round <= 10; ++round) {
    ASSERT_TRUE(fleet.reaches(board.ready, 1));
    ASSERT_TRUE(fleet.reaches(board.operations, board.operations + 1000));
    // What is loaded while the channel is down, after the last stop, is served until it is up.
    ASSERT_TRUE(fleet.reaches(board.done, board.done + 2));
    reader.pause();
    board.source = round;
    kWays[round % 2]();
    board.round = round;
    std::this_thread::sleep_for(250ms);
    reader.resume();
    ASSERT_TRUE(fleet.reaches(board.operations, board.operations + 1000));
    EXPECT_EQ(board.stale, 0u) << "round " << round << "; " << fleet.log();
  }
  board.stop = 1;
  EXPECT_TRUE(fleet.all_end());
}

}  // namespace
}  // namespace dsta::cache
