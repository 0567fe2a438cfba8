// Masters of a real cluster that are killed. Longer by DSTA_CACHE_FAILOVERS, the number of kills.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include "eventually.hpp"
#include "failovers.hpp"
#include "over_redis.hpp"
#include "redis_cluster.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using SteadyClock = std::chrono::steady_clock;

/// A key on each of the first nodes, which are the masters of a new cluster.
std::vector<std::string> a_key_of_each(const RedisCluster& cluster, std::size_t masters) {
  std::vector<std::string> keys(masters);
  for (int i = 0; std::count(keys.begin(), keys.end(), std::string{}) > 0; ++i) {
    const std::string key = "there" + std::to_string(i);
    keys[cluster.master_of("dsta:" + key)] = key;
  }
  return keys;
}

/// The value of each is its name.
std::vector<FailoverReader::KeyAndValue> named(const std::vector<std::string>& keys) {
  std::vector<FailoverReader::KeyAndValue> all;
  for (const std::string& key : keys) all.emplace_back(key, key);
  return all;
}

struct ClusterFailover : ::testing::Test {
  void SetUp() override {
    if (!RedisCluster::available()) GTEST_SKIP() << "no redis-server 7.0 or later on this machine";
  }
};

TEST_F(ClusterFailover, ReadsGoOnASecondAfterTheClusterIsOk) {
  RedisCluster cluster;
  CacheManager cache(over_failovers(cluster.url(), true));
  const std::vector<std::string> keys = a_key_of_each(cluster, 3);
  for (const std::string& key : keys) {
    ASSERT_TRUE(eventually([&] { return bool(cache.set(key, key, {.ttl = 1h})); }));
  }
  EXPECT_TRUE(check_health(cache).healthy) << check_health(cache).error;
  std::vector<std::int64_t> took;
  for (int n = 0; n < failovers(2); ++n) {
    const std::string& key = keys[static_cast<std::size_t>(n) % keys.size()];
    const std::uint16_t slot = slot_of("dsta:" + key);
    const std::size_t former = cluster.master_of_slot(slot);
    ASSERT_EQ(cluster.command(former, {"WAIT", "1", "5000"}), "1");
    FailoverReader of_l2(cache, Level::l2, named(keys)), of_both(cache, Level::both, named(keys));
    cluster.kill(former);
    ASSERT_TRUE(cluster.wait_for_failover(slot, former));
    ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
    const auto ok = SteadyClock::now();
    ASSERT_TRUE(eventually([&] { return cache.get(key, {.level = Level::l2}) == key; }));
    std::this_thread::sleep_for(1s);  // for what might fail later
    const auto late = std::max(of_l2.last_failure(), of_both.last_failure()) - ok;
    took.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(late).count());
    EXPECT_LT(late, kSanitized ? 3s : 1s);
    EXPECT_EQ(of_l2.wrong() + of_both.wrong(), 0u);
    EXPECT_TRUE(cache.set(key, key, {.ttl = 1h})) << "and writes do";
    cluster.start(former);
    ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  }
  EXPECT_TRUE(eventually([&] {
    return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
      return cache.get(key) && cache.lookup<std::string>(key).source == Source::l1;
    });
  })) << "and L1 is used again";
  std::sort(took.begin(), took.end());
  std::printf("last failed read after the cluster is ok: median %lld ms, most %lld ms\n",
              static_cast<long long>(took[took.size() / 2]), static_cast<long long>(took.back()));
}

/// A failover that was asked for loses nothing. While the nodes do not agree who is the master a read may miss.
TEST_F(ClusterFailover, OneThatWasAskedForIsOverInAMoment) {
  RedisCluster cluster;
  CacheManager cache(over_redis(cluster.url(), true, 5s));
  const std::vector<std::string> keys = a_key_of_each(cluster, 3);
  for (const std::string& key : keys) {
    ASSERT_TRUE(eventually([&] { return bool(cache.set(key, key, {.ttl = 1h})); }));
  }
  const std::uint16_t slot = slot_of("dsta:" + keys[0]);
  const std::size_t former = cluster.master_of_slot(slot), replica = cluster.replica_of(former);
  ASSERT_EQ(cluster.command(former, {"WAIT", "1", "5000"}), "1");
  FailoverReader reader(cache, Level::l2, named(keys));
  ASSERT_TRUE(cluster.failover(replica));
  ASSERT_TRUE(cluster.wait_for_failover(slot, former));
  ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  const auto ok = SteadyClock::now();
  EXPECT_TRUE(eventually([&] { return cache.set(keys[0], keys[0], {.ttl = 1h}) == SetResult::stored; }));
  std::this_thread::sleep_for(300ms);
  EXPECT_LT(reader.last_failure() - ok, kSanitized ? 3s : 1s);
  EXPECT_EQ(reader.wrong(), 0u);
}

/// Nobody takes its place, and the other masters go on. Without the home master, which has the versions, nothing of L2
/// can be used; no call waits longer than its deadline then either.
TEST_F(ClusterFailover, AMasterThatHangsHoldsUpItsOwnKeysOnly) {
  RedisCluster cluster({.replicas = 0, .server = {.config = {"cluster-require-full-coverage no"}}});
  CacheManager cache(over_failovers(cluster.url(), true));
  const std::vector<std::string> keys = a_key_of_each(cluster, 3);
  for (const std::string& key : keys) {
    ASSERT_TRUE(eventually([&] { return bool(cache.set(key, key, {.ttl = 1h})); }));
  }
  const EntryOptions at_server{.level = Level::l2};
  const std::size_t home = cluster.master_of("{dsta}");
  for (const std::size_t hangs : {(home + 1) % 3, home}) {
    cluster.pause(hangs);
    SteadyClock::duration slowest{0}, slowest_of_others{0};
    int failed = 0;
    const auto timed = [&](const std::string& key, SteadyClock::duration& worst) {
      const auto begun = SteadyClock::now();
      const bool found = cache.get(key, at_server) == key;
      worst = std::max(worst, SteadyClock::now() - begun);
      return found;
    };
    for (const auto until = SteadyClock::now() + 2s; SteadyClock::now() < until;) {
      for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i == hangs) {
          EXPECT_FALSE(timed(keys[i], slowest));
        } else if (!timed(keys[i], slowest_of_others)) {
          ++failed;
        }
      }
      std::this_thread::sleep_for(1ms);
    }
    if (hangs != home) {
      EXPECT_EQ(failed, 0) << "node " << hangs << " hangs, and no other";
      EXPECT_LT(slowest_of_others, 500ms);
    }
    EXPECT_LT(std::max(slowest, slowest_of_others), 1500ms) << "a deadline is 500 ms";
    cluster.resume(hangs);
    EXPECT_TRUE(eventually([&] { return timed(keys[hangs], slowest); }));
    ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
    EXPECT_TRUE(eventually([&] { return cache.set(keys[hangs], keys[hangs], {.ttl = 1h}) == SetResult::stored; }));
  }
}

/// How many of the removed keys are there after the failover of the master that has the library's versions, of a
/// process with this window. All of them were acknowledged after the last that was replicated.
std::size_t undone_by_failover(RedisCluster& cluster, const std::string& space, const std::string& window,
                               std::size_t keys) {
  CacheManager cache(over_failovers(cluster.url() + "&space=" + space + "&failover_window=" + window, true));
  CacheManager other(over_failovers(cluster.url() + "&space=" + space, false));
  const std::uint16_t slot = slot_of("{" + space + "}");
  const std::size_t former = cluster.master_of_slot(slot);
  std::vector<std::string> names;  // those of this master
  for (int i = 0; names.size() < keys; ++i) {
    std::string name = "key" + std::to_string(i);
    if (cluster.master_of(space + ":" + name) == former || names.size() >= 50) names.push_back(std::move(name));
  }
  EXPECT_TRUE(eventually([&] { return bool(cache.set("first", "v", {.ttl = 1h})); }));
  for (std::size_t at = 0; at < keys; at += 500) {
    std::vector<std::pair<std::string, std::string>> some;
    for (std::size_t i = at; i < std::min(keys, at + 500); ++i) some.emplace_back(names[i], "v");
    for (const SetResult each : cache.set_many<std::string>(some, {.ttl = 1h})) EXPECT_TRUE(each) << each.reason();
  }
  EXPECT_TRUE(cache.set("tagged", "v", {.ttl = 1h, .tags = {"t"}}));
  EXPECT_TRUE(cache.set("p:matched", "v", {.ttl = 1h}));
  int loads = 0;
  auto function = cache.cached({.ttl = 1h, .prefix = "f"}, [&](int i) { return ++loads, i; });
  function(1);

  for (std::size_t i = 0; i < cluster.nodes(); ++i) {
    if (cluster.is_master(i)) {
      EXPECT_EQ(cluster.command(i, {"WAIT", "1", "5000"}), "1");
    }
  }
  cluster.pause_replication(former);
  for (std::size_t i = 0; i < keys; i += 2) EXPECT_TRUE(cache.del(names[i]));
  std::vector<std::string> odd;
  for (std::size_t i = 1; i < keys; i += 2) odd.push_back(names[i]);
  EXPECT_EQ(cache.del_many(odd), odd.size());
  cache.invalidate_tag("t");
  EXPECT_EQ(cache.delete_pattern("p:*"), 1u);
  function.cache_clear();
  EXPECT_EQ(cache.get_stats().pending_invalidations, 0u) << "all of them are acknowledged";
  cluster.kill(former);
  EXPECT_TRUE(cluster.wait_for_failover(slot, former));
  EXPECT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_TRUE(eventually([&] { return bool(cache.set("{" + space + "}", "v", {.level = Level::l2})); }));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().pending_invalidations == 0; }));
  std::size_t there = 0;
  const EntryOptions at_server{.level = Level::l2};
  for (CacheManager* const each : {&cache, &other}) {
    EXPECT_TRUE(eventually([&] { return each->get("first", at_server) == "v"; }))
        << "what was not invalidated is there";
    for (const std::string& name : names) there += each->exists(name, at_server);
    there += each->exists("tagged", at_server) + each->exists("p:matched", at_server);
  }
  const int before = loads;
  function(1);
  there += loads == before ? 1 : 0;
  cluster.start(former);
  EXPECT_TRUE(cluster.wait_ok()) << cluster.trouble();
  return there;
}

TEST_F(ClusterFailover, UndoesNoAcknowledgedInvalidation) {
  RedisCluster cluster;
  const std::size_t keys = scaled(1'000);
  EXPECT_GT(undone_by_failover(cluster, "control", "0s", keys), keys / 2)
      << "replication was paused, so what that master had must be back, seen by both";
  EXPECT_EQ(undone_by_failover(cluster, "journal", "30s", keys), 0u);
}

}  // namespace
}  // namespace dsta::cache
