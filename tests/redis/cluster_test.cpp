// A manager on a real cluster: what it does is what it does on a single server, whichever master has the key.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dsta/cache/error.hpp>
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "redis_cluster.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::l1_is_up;
using testing_support::over_redis;
using testing_support::RedisCluster;
using testing_support::RedisServer;
using SteadyClock = std::chrono::steady_clock;

std::string nth(int i) { return "k" + std::to_string(i); }

/// One cluster for all tests that leave it as it was.
struct OnCluster : ::testing::TestWithParam<bool> {
  static void TearDownTestSuite() { cluster.reset(); }
  void SetUp() override {
    if (!RedisCluster::available()) GTEST_SKIP() << "no redis-server that can form a cluster";
    if (!cluster) cluster = std::make_unique<RedisCluster>(testing_support::RedisClusterOptions{.replicas = 0});
    for (std::size_t i = 0; i < cluster->nodes(); ++i) cluster->command(i, {"FLUSHALL"});
    here = CacheManager(options());
    there = CacheManager(options());
    ASSERT_TRUE(!GetParam() || (l1_is_up(here) && l1_is_up(there)));
  }
  ManagerOptions options(const std::string& more = {}) const {
    return over_redis(cluster->url() + more, GetParam(), 5s);
  }

  static inline std::unique_ptr<RedisCluster> cluster;
  CacheManager here, there;
};

TEST_P(OnCluster, ValuesOfAllMastersAreReadBack) {
  std::vector<std::pair<std::string, int>> items;
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) {
    items.emplace_back(nth(i), i);
    keys.push_back(nth(i));
  }
  for (const SetResult& result : here.set_many(items)) EXPECT_TRUE(result) << result.reason();
  const auto found = there.get_many<int>(keys);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(found[static_cast<std::size_t>(i)], i);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(there.get<int>(nth(i)), i);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_GT(std::stoi(cluster->command(i, {"DBSIZE"})), 30);
  EXPECT_EQ(here.del_many(keys), 300u);
  EXPECT_TRUE(eventually([&] { return !there.get<int>(nth(7)); }));
}

TEST_P(OnCluster, PatternsGoOverAllMasters) {
  for (int i = 0; i < 100; ++i) {
    here.set("a:" + nth(i), i);
    here.set("b:" + nth(i), i);
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(there.get<int>("a:" + nth(i)), i);
  EXPECT_EQ(here.delete_pattern("a:*"), 100u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(eventually([&] { return !there.get<int>("a:" + nth(i)); })) << i;
    EXPECT_EQ(there.get<int>("b:" + nth(i)), i);
  }
}

TEST_P(OnCluster, FlushAllInvalidatesAtAllMasters) {
  for (int i = 0; i < 100; ++i) here.set(nth(i), i);
  here.increment("count");
  here.flush_all();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(eventually([&] { return !there.get<int>(nth(i)); })) << i;
  EXPECT_EQ(there.increment("count"), 1);
}

TEST_P(OnCluster, AChangeReachesTheOtherProcessWhicheverMasterHasTheKey) {
  for (int i = 0; i < 60; ++i) {
    here.set(nth(i), i);
    EXPECT_EQ(there.get<int>(nth(i)), i);
    EXPECT_EQ(there.get<int>(nth(i)), i);
  }
  if (GetParam()) {
    EXPECT_GE(there.get_stats().hits, 60u);
  }
  for (int i = 0; i < 60; ++i) here.set(nth(i), -i);
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(eventually([&] { return there.get<int>(nth(i)) == -i; })) << i;
}

TEST_P(OnCluster, ATagInvalidatesEntriesOfAllMasters) {
  for (int i = 0; i < 60; ++i) here.set(nth(i), i, {.tags = {"all"}});
  for (int i = 0; i < 60; ++i) EXPECT_EQ(there.get<int>(nth(i)), i);
  here.invalidate_tag("all");
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(eventually([&] { return !there.get<int>(nth(i)); })) << i;
  there.set("later", 1, {.tags = {"all"}});
  EXPECT_EQ(here.get<int>("later"), 1);
}

TEST_P(OnCluster, AFunctionIsLoadedOnceForBothProcesses) {
  std::atomic<int> loads{0};
  const auto load = [&](int i) {
    ++loads;
    std::this_thread::sleep_for(30ms);
    return 2 * i;
  };
  const auto one = here.cached({.ttl = 60s, .prefix = "p", .name = "f"}, load);
  const auto other = there.cached({.ttl = 60s, .prefix = "p", .name = "f"}, load);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] { EXPECT_EQ(one(i), 2 * i); });
    threads.emplace_back([&, i] { EXPECT_EQ(other(i), 2 * i); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(loads, 8);
}

TEST_P(OnCluster, RawValuesAndOddKeysHaveTheirLeasesBesideThem) {
  int loads = 0;
  for (const std::string key : {"plain", "a{b}c", "a{}b{c}", "}{", "{", "x}y{z", "{}"}) {
    const EntryOptions raw{.ttl = 60s, .raw = true};
    const std::string loaded = "v" + std::to_string(loads + 1);
    const auto load = [&] { return "v" + std::to_string(++loads); };
    EXPECT_EQ(here.get_or_load(key, load, raw), loaded);
    EXPECT_EQ(there.get_or_load(key, load, raw), loaded);
    const EntryOptions plain{.ttl = 60s};
    EXPECT_EQ(here.get_or_load(
                  key + "!", [] { return 1; }, plain),
              1);
    EXPECT_EQ(there.get_or_load(
                  key + "!", [] { return 2; }, plain),
              1);
  }
  EXPECT_EQ(loads, 7);
}

TEST_P(OnCluster, HealthNamesTheMasters) {
  const Health health = check_health(here);
  EXPECT_TRUE(health.healthy) << health.error;
  EXPECT_EQ(health.topology, "cluster");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NE(health.server.find(cluster->address(i)), std::string::npos);
  if (GetParam()) {
    EXPECT_EQ(health.coherence, CoherenceMode::tracking);
  }
}

TEST_P(OnCluster, ALargeValueTravelsToItsMaster) {
  const std::string large(std::size_t{1} << 20, 'x');
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(here.set("{" + nth(i) + "}large}", large));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(there.get("{" + nth(i) + "}large}"), large);
}

TEST_P(OnCluster, AnAnnouncementReachesWhoOnlyHearsThose) {
  if (!GetParam()) return;
  CacheManager listener(options("&coherence=announcements"));
  ASSERT_TRUE(l1_is_up(listener));
  EXPECT_EQ(check_health(listener).coherence, CoherenceMode::announcements);
  for (int i = 0; i < 30; ++i) {
    here.set(nth(i), i);
    EXPECT_EQ(listener.get<int>(nth(i)), i);
  }
  ASSERT_TRUE(eventually([&] {
    here.set("probe", 1);
    return cluster->command(cluster->master_of("dsta"), {"EXISTS", "dsta:\x01listens{dsta}"}) == "1";
  }));
  for (int i = 0; i < 30; ++i) here.set(nth(i), -i);
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(eventually([&] { return listener.get<int>(nth(i)) == -i; }, 3s)) << i;
  here.delete_pattern("k*");
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(eventually([&] { return !listener.get<int>(nth(i)); }, 3s)) << i;
}

TEST_P(OnCluster, AServerOfAClusterSaysWhatIsMissingInTheUrl) {
  CacheManager plain(over_redis(cluster->server(0).url(), GetParam(), 1s));
  std::string reason;
  for (int i = 0; i < 30 && reason.empty(); ++i) {
    const SetResult result = plain.set(nth(i), i);
    if (!result) reason = result.reason();
  }
  EXPECT_NE(reason.find("add cluster=true to the URL"), std::string::npos) << reason;
}

INSTANTIATE_TEST_SUITE_P(Levels, OnCluster, ::testing::Bool(),
                         [](const auto& tested) { return testing_support::levels_name(tested.param); });

TEST(WithoutCluster, APlainServerIsNamedAndEndsNothing) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  const RedisServer server;
  const auto begun = SteadyClock::now();
  CacheManager cache(over_redis(server.url() + "?cluster=true", true, 500ms));
  EXPECT_EQ(cache.get_or_load("k", [] { return 1; }), 1);
  const SetResult result = cache.set("k", 1);
  EXPECT_FALSE(result);
  EXPECT_NE(result.reason().find("not part of a cluster"), std::string::npos) << result.reason();
  const Health health = check_health(cache);
  EXPECT_FALSE(health.healthy);
  EXPECT_NE(health.error.find("not part of a cluster"), std::string::npos) << health.error;
  EXPECT_LT(SteadyClock::now() - begun, 3s);
}

}  // namespace
}  // namespace dsta::cache
