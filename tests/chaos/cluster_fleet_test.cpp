// Many processes on one cluster: one load for all of them, wherever its key is, and no value from before an
// invalidation after it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "fleet.hpp"
#include "has_invalidated.hpp"
#include "heavy.hpp"
#include "interleaved_invalidations.hpp"
#include "on_threads.hpp"
#include "over_redis.hpp"
#include "redis_cluster.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct ClusterFleet : ::testing::TestWithParam<bool> {
  static void SetUpTestSuite() {
    if (RedisCluster::available()) cluster = std::make_unique<RedisCluster>(RedisClusterOptions{.replicas = 0});
  }
  static void TearDownTestSuite() { cluster.reset(); }
  void SetUp() override {
    if (!cluster) GTEST_SKIP() << "no redis-server 7.0 or later on this machine";
  }
  /// A generous deadline: many threads share two processors.
  static std::string url(const std::string& space) {
    return cluster->url() + "&socket_timeout=10s&l1=" + (GetParam() ? "true" : "false") + "&space=" + space +
           (GetParam() ? "2" : "1");
  }
  static inline std::unique_ptr<RedisCluster> cluster;
};
INSTANTIATE_TEST_SUITE_P(On, ClusterFleet, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(ClusterFleet, ProcessesOfManyThreadsOnOneColdKeyLoadOnce) {
  const std::size_t processes = heavy(8, 4), threads = heavy(64, 8);
  for (const std::string space : {"a", "b", "c", "d"}) {  // the key is in another slot each time
    Fleet fleet{FLEET_WORKER};
    FleetBoard& board = fleet.board();
    for (std::size_t i = 0; i < processes; ++i) fleet.start("load", url(space), {std::to_string(threads), "200"});
    ASSERT_TRUE(fleet.reaches(board.ready, processes));
    board.go = 1;
    ASSERT_TRUE(fleet.reaches(board.finished, processes * threads));
    EXPECT_EQ(board.loads, 1u) << space;
    EXPECT_EQ(board.failures, 0u) << fleet.log();
  }
}

TEST_P(ClusterFleet, ManagersOfManyThreadsOnColdKeysLoadEachOnce) {
  constexpr std::size_t kManagers = 3, kThreads = 8, kKeys = 60;
  std::vector<std::atomic<int>> loads(kKeys);
  std::vector<std::unique_ptr<CacheManager>> managers;
  std::vector<cached<std::function<int(int)>>> functions;
  for (std::size_t i = 0; i < kManagers; ++i) {
    managers.push_back(std::make_unique<CacheManager>(url("m")));
    ASSERT_TRUE(eventually([&] { return bool(managers.back()->set("first", 1)); }));
    functions.push_back(managers.back()->cached({.ttl = 60s, .prefix = "cold"}, std::function<int(int)>([&](int k) {
                                                  ++loads[static_cast<std::size_t>(k)];
                                                  std::this_thread::sleep_for(20ms);
                                                  return k;
                                                })));
  }
  std::atomic<int> wrong = 0;
  on_threads(kManagers * kThreads, [&](std::size_t me) {
    for (int k = 0; k < static_cast<int>(kKeys); ++k) wrong += functions[me % kManagers](k) != k;
  });
  EXPECT_EQ(wrong, 0);
  for (std::size_t k = 0; k < kKeys; ++k) EXPECT_EQ(loads[k], 1) << k;
}

/// Each round's key is in another slot.
TEST_P(ClusterFleet, AnInvalidationBetweenReadAndStoreIsNeverUndone) {
  Fleet fleet{FLEET_WORKER};
  expect_no_invalidation_undone(fleet, url("i"), url("i"), GetParam(), heavy(10'000, scaled(300)));
}

}  // namespace
}  // namespace dsta::cache
