// In-process copies over one server: how long a replaced value is served elsewhere, and that all agree in the end.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "fault_proxy.hpp"
#include "fleet.hpp"
#include "havoc.hpp"
#include "heavy.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Staleness : ::testing::TestWithParam<int> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    server = std::make_unique<RedisServer>();
    proxy = std::make_unique<FaultProxy>(server->port());
  }
  /// All processes read and write meanwhile.
  template <class Meanwhile>
  void run(Fleet& fleet, const std::string& url, Meanwhile meanwhile) {
    server->command({"FLUSHALL"});  // values of another run would be of the future
    const auto processes = static_cast<std::uint64_t>(GetParam());
    FleetBoard& board = fleet.board();
    for (std::uint64_t i = 0; i < processes; ++i) {
      fleet.start("traffic", url, {std::to_string(i), std::to_string(processes), server->url() + "?l1=false"});
    }
    ASSERT_TRUE(fleet.reaches(board.ready, processes));
    board.go = 1;
    meanwhile();
    board.stop = 1;
    proxy->clear();
    std::this_thread::sleep_for(500ms);  // the last calls end
    board.compare = 1;
    ASSERT_TRUE(fleet.reaches(board.finished, processes));
    EXPECT_EQ(board.failures, 0u) << fleet.log();
    EXPECT_EQ(board.disagreements, 0u) << "keys that are not what the server has";
    EXPECT_GT(board.hits, 0u);
    report(board);
  }
  /// A reading of the histogram is the bound of its bucket.
  static void report(const FleetBoard& board) {
    std::uint64_t all = 0, stale = 0;
    for (const auto& bucket : board.staleness) all += bucket;
    stale = all - board.staleness[0];
    const auto percentile = [&](double share) {
      std::uint64_t seen = 0;
      for (std::size_t i = 0; i < board.staleness.size(); ++i) {
        seen += board.staleness.at(i);
        if (static_cast<double>(seen) >= share * static_cast<double>(all)) return i == 0 ? 0ULL : 1ULL << i;
      }
      return 0ULL;
    };
    std::printf("%llu operations, %llu of %llu hits stale; p50 %llu us, p99 %llu us, p99.9 %llu us, worst %llu us\n",
                static_cast<unsigned long long>(board.operations), static_cast<unsigned long long>(stale),
                static_cast<unsigned long long>(all), percentile(0.5), percentile(0.99), percentile(0.999),
                static_cast<unsigned long long>(board.worst_staleness));
  }
  std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
};
INSTANTIATE_TEST_SUITE_P(On, Staleness, ::testing::Values(2, 8),
                         [](const auto& tested) { return std::to_string(tested.param) + "Processes"; });

TEST_P(Staleness, EndsSoonAndInTheEndAllAgreeWithTheServer) {
  Fleet fleet(FLEET_WORKER);
  run(fleet, server->url() + "?socket_timeout=5s", [] { std::this_thread::sleep_for(chaos_time()); });
}

TEST_P(Staleness, AlsoWhenDataAndInvalidationsAreLostOnTheWay) {
  for (const std::uint64_t seed : chaos_seeds()) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Fleet fleet(FLEET_WORKER);
    run(fleet, proxy->url() + "?socket_timeout=200ms&connect_timeout=200ms",
        [&] { lose_on_the_way(*proxy, seed, chaos_time()); });
  }
}

}  // namespace
}  // namespace dsta::cache
