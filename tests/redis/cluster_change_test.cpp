// Clusters that change while they are used: slots that move, masters that are replaced, slots without a master.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include "certificates.hpp"
#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "redis_cluster.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::Certificates;
using testing_support::eventually;
using testing_support::l1_is_up;
using testing_support::over_redis;
using testing_support::RedisCluster;
using testing_support::RedisClusterOptions;
using testing_support::RedisTls;
using SteadyClock = std::chrono::steady_clock;

/// Where a test's cluster is its own.
struct ChangingCluster : ::testing::Test {
  void SetUp() override {
    if (!RedisCluster::available()) GTEST_SKIP() << "no redis-server that can form a cluster";
  }
  void make(RedisClusterOptions options) { cluster = std::make_unique<RedisCluster>(std::move(options)); }
  ManagerOptions options(bool l1, const std::string& more = {}) const {
    return over_redis(cluster->url() + more, l1, 2s);
  }
  std::uint16_t slot(const std::string& key) const { return RedisCluster::slot_of("dsta:" + key); }
  std::size_t other(std::size_t master) const { return (master + 1) % 2; }

  std::unique_ptr<RedisCluster> cluster;
};

/// Writes one key by one manager and reads it by another: a read that begins after a write has ended shows that write
/// or a later one.
class WriteAndRead {
 public:
  WriteAndRead(CacheManager& writer, CacheManager& reader, std::string key)
      : writer_(writer), reader_(reader), key_(std::move(key)) {
    threads_.emplace_back([this] { write(); });
    threads_.emplace_back([this] { read(); });
  }
  ~WriteAndRead() { stop(); }
  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  int writes() const { return written_; }
  int stale() const { return stale_; }
  int hits() const { return reads_; }

 private:
  void write() {
    for (int i = 1; !stop_; ++i) {
      const SetResult result = writer_.set(key_, i, {.level = Level::l2});
      if (result) written_ = i;
      std::this_thread::sleep_for(200us);
    }
  }
  void read() {
    while (!stop_) {
      // What is read at L2 is never older than what was confirmed.
      const int before = written_;
      if (const auto found = reader_.get<int>(key_, {.level = Level::l2})) {
        ++reads_;
        if (*found < before) ++stale_;
      }
      std::this_thread::sleep_for(100us);
    }
  }
  CacheManager &writer_, &reader_;
  const std::string key_;
  std::atomic<bool> stop_{false};
  std::atomic<int> written_{0}, stale_{0}, reads_{0};
  std::vector<std::thread> threads_;
};

TEST_F(ChangingCluster, ReadsAndWritesGoOnWhileASlotMoves) {
  make({.masters = 2, .replicas = 0});
  CacheManager writer(options(false)), reader(options(true));
  ASSERT_TRUE(l1_is_up(reader));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(writer.set("{k}" + std::to_string(i), i));
  WriteAndRead run(writer, reader, "{k}");
  ASSERT_TRUE(eventually([&] { return run.writes() > 20; }));
  for (int round = 0; round < 4; ++round) {
    const std::size_t from = cluster->master_of_slot(slot("{k}"));
    cluster->begin_migration(slot("{k}"), other(from));
    while (cluster->migrate_keys(slot("{k}"), other(from), 5) > 0) std::this_thread::sleep_for(2ms);
    cluster->end_migration(slot("{k}"), other(from));
    const int written = run.writes();
    ASSERT_TRUE(eventually([&] { return run.writes() > written + 20; })) << round;
  }
  run.stop();
  EXPECT_EQ(run.stale(), 0);
  EXPECT_GT(run.hits(), 20);
  std::vector<std::string> keys;
  for (int i = 0; i < 50; ++i) keys.push_back("{k}" + std::to_string(i));
  const auto found = reader.get_many<int>(keys);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(found[static_cast<std::size_t>(i)], i);
}

TEST_F(ChangingCluster, NothingStaysInL1ThatChangedAtTheNextMaster) {
  make({.masters = 2, .replicas = 0});
  CacheManager writer(options(false)), reader(options(true));
  ASSERT_TRUE(l1_is_up(reader));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(writer.set("moved", 2 * round));
    ASSERT_TRUE(eventually([&] { return reader.get<int>("moved") == 2 * round; }));
    ASSERT_TRUE(eventually([&] { return reader.lookup<int>("moved").source == Source::l1; }));
    cluster->migrate_slot(slot("moved"), other(cluster->master_of_slot(slot("moved"))));
    ASSERT_TRUE(writer.set("moved", 2 * round + 1));
    EXPECT_TRUE(eventually([&] { return reader.get<int>("moved") == 2 * round + 1; }, 3s));
  }
}

TEST_F(ChangingCluster, ManyKeysAreReadAndRemovedInAMovingSlot) {
  make({.masters = 2, .replicas = 0});
  CacheManager cache(options(false));
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back("{m}" + std::to_string(i));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(cache.set(keys[static_cast<std::size_t>(i)], i));
  const std::size_t from = cluster->master_of_slot(slot("{m}"));
  cluster->begin_migration(slot("{m}"), other(from));
  ASSERT_EQ(cluster->migrate_keys(slot("{m}"), other(from), 20), 20u);
  const auto found = cache.get_many<int>(keys);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(found[static_cast<std::size_t>(i)], i);
  // Half is there, half here: the sweep finds both.
  EXPECT_EQ(cache.delete_pattern("{m}1*"), 11u);
  EXPECT_EQ(cache.del_many(keys), 29u);
  EXPECT_TRUE(cache.set("{m}new", 1));
  EXPECT_EQ(cache.get<int>("{m}new"), 1);
  EXPECT_EQ(cache.increment("{m}count", 2, {.ttl = 60s}), 2);
  EXPECT_EQ(cache.increment("{m}count", 2, {.ttl = 60s}), 4);
  EXPECT_EQ(cache.get_or_load("{m}raw", [] { return std::string("v"); }, {.raw = true}), "v");
}

/// The keys of the namespace's own are at two masters: the request that raises a version is run in parts, out of order.
TEST_F(ChangingCluster, AConfirmedTagIsHeardWhileItsSlotMoves) {
  make({.masters = 2, .replicas = 0});
  const std::uint16_t home = RedisCluster::slot_of("{dsta}");
  for (const CoherenceMode mode : {CoherenceMode::tracking, CoherenceMode::announcements}) {
    ManagerOptions of_reader = options(true);
    of_reader.l1.coherence = mode;
    of_reader.l1.untracked_ttl = 60s;
    CacheManager reader(std::move(of_reader)), writer(options(false));
    ASSERT_TRUE(l1_is_up(reader));
    for (int round = 0; round < 3; ++round) {
      const std::string key = "k" + std::to_string(round);
      ASSERT_TRUE(writer.set(key, 1, {.ttl = 300s, .tags = {"t"}}));
      ASSERT_TRUE(eventually([&] { return reader.lookup<int>(key).source == Source::l1; }));
      const std::size_t from = cluster->master_of_slot(home), to = other(from);
      cluster->begin_migration(home, to);
      // The clock of versions alone is moved: the script that raises one waits for the others.
      cluster->command(from, {"MIGRATE", "127.0.0.1", std::to_string(cluster->node(to)),
                              "dsta:\x01"
                              "clock{dsta}",
                              "0", "1000"});
      std::atomic<bool> stop{false};
      std::thread reads([&] {
        while (!stop) {
          (void)reader.get<int>(key);
          std::this_thread::sleep_for(1ms);
        }
      });
      std::thread moves([&] {
        std::this_thread::sleep_for(35ms);
        while (cluster->migrate_keys(home, to, 100) > 0) {
        }
      });
      writer.invalidate_tag("t");
      const bool confirmed = writer.get_stats().pending_invalidations == 0;
      moves.join();
      if (confirmed) {
        EXPECT_TRUE(eventually([&] { return !reader.get<int>(key); }, 1s)) << round;
      }
      cluster->end_migration(home, to);
      stop = true;
      reads.join();
      EXPECT_TRUE(eventually([&] { return !reader.get<int>(key); })) << round;
    }
  }
}

TEST_F(ChangingCluster, WhatAnotherMasterMissedIsInvalidatedThere) {
  make({.masters = 3, .replicas = 1});
  CacheManager here(options(true)), there(options(true));
  ASSERT_TRUE(l1_is_up(here) && l1_is_up(there));
  const std::string key = "lost";
  const std::size_t master = cluster->master_of_slot(slot(key));
  ASSERT_TRUE(here.set(key, 1, {.ttl = 1h}));
  ASSERT_TRUE(eventually([&] { return there.get<int>(key) == 1; }));
  ASSERT_EQ(cluster->command(master, {"WAIT", "1", "5000"}), "1");
  cluster->pause_replication(master);
  EXPECT_TRUE(here.del(key));
  EXPECT_EQ(here.get<int>(key), std::nullopt);
  const std::size_t replica =
      cluster->replica_of(master) == cluster->nodes() ? master + 3 : cluster->replica_of(master);
  cluster->kill(master);
  cluster->failover(replica, "TAKEOVER");
  ASSERT_TRUE(cluster->wait_for_failover(slot(key), master));
  EXPECT_TRUE(eventually([&] { return bool(here.set("other" + key, 1)) && check_health(here).healthy; }));
  EXPECT_EQ(here.get<int>(key), std::nullopt);
  EXPECT_TRUE(eventually([&] { return cluster->command(replica, {"EXISTS", "dsta:" + key}) == "0"; }));
  EXPECT_EQ(there.get<int>(key), std::nullopt);
  EXPECT_TRUE(eventually([&] { return l1_is_up(there); }));
}

TEST_F(ChangingCluster, AMasterThatEndsIsReplacedWithoutARestart) {
  make({.masters = 3, .replicas = 1});
  CacheManager cache(options(true));
  ASSERT_TRUE(l1_is_up(cache));
  ASSERT_TRUE(cache.set("k", 1));
  const std::size_t master = cluster->master_of_slot(slot("k"));
  ASSERT_EQ(cluster->command(master, {"WAIT", "1", "5000"}), "1");
  cluster->kill(master);
  // Others work meanwhile, and nothing takes longer than its deadline.
  const auto begun = SteadyClock::now();
  static_cast<void>(cache.get<int>("k", {.level = Level::l2}));
  EXPECT_LT(SteadyClock::now() - begun, 4s);
  ASSERT_TRUE(cluster->wait_for_failover(slot("k"), master));
  EXPECT_TRUE(eventually([&] { return cache.get<int>("k", {.level = Level::l2}) == 1; }));
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 2)); }));
  EXPECT_TRUE(eventually([&] { return l1_is_up(cache); }));
  const std::string servers = check_health(cache).server;
  EXPECT_EQ(servers.find(cluster->address(master)), std::string::npos) << servers;
}

TEST_F(ChangingCluster, SlotsWithoutAMasterFailAtOnceAndOthersWork) {
  make({.masters = 2, .replicas = 0, .server = {.config = {"cluster-require-full-coverage no"}}});
  CacheManager cache(options(true));
  ASSERT_TRUE(l1_is_up(cache));
  std::string hole;
  for (int i = 0; hole.empty(); ++i) {
    const std::string key = "k" + std::to_string(i);
    // Not where the namespace's own keys are.
    if (cluster->master_of_slot(slot(key)) != cluster->master_of("dsta")) hole = key;
  }
  const std::size_t master = cluster->master_of_slot(slot(hole));
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(cluster->command(i, {"CLUSTER", "DELSLOTS", std::to_string(slot(hole))}), "OK");
  }
  std::string full;
  for (int i = 0; full.empty(); ++i) {
    const std::string key = "f" + std::to_string(i);
    if (cluster->master_of_slot(slot(key)) == master) full = key;
  }
  ASSERT_TRUE(eventually([&] {
    return check_health(cache).server.find("1 slots have no master") != std::string::npos;
  })) << check_health(cache).server;
  const auto begun = SteadyClock::now();
  const SetResult result = cache.set(hole, 1);
  EXPECT_FALSE(result);
  EXPECT_NE(result.reason().find("no master of the cluster serves the slot"), std::string::npos) << result.reason();
  EXPECT_LT(SteadyClock::now() - begun, 1s);
  EXPECT_TRUE(cache.set(full, 2));
  EXPECT_EQ(cache.get<int>(full), 2);
  EXPECT_EQ(cache.get_or_load(hole, [] { return 3; }), 3);
}

TEST_F(ChangingCluster, APausedMasterHoldsUpNobodyElse) {
  make({.masters = 2, .replicas = 0, .node_timeout = 20s});
  CacheManager cache(over_redis(cluster->url(), true, 400ms));
  ASSERT_TRUE(l1_is_up(cache));
  std::string paused, other_key;
  for (int i = 0; paused.empty() || other_key.empty(); ++i) {
    const std::string key = "k" + std::to_string(i);
    (cluster->master_of_slot(slot(key)) == cluster->master_of("dsta") ? other_key : paused) = key;
  }
  ASSERT_TRUE(cache.set(other_key, 1));
  const std::size_t silent = cluster->master_of_slot(slot(paused));
  cluster->pause(silent);
  const auto begun = SteadyClock::now();
  EXPECT_FALSE(cache.set(paused, 1));
  EXPECT_LT(SteadyClock::now() - begun, 2s);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(cache.get<int>(other_key, {.level = Level::l2}), 1);
  EXPECT_TRUE(cache.set(other_key, 2));
  const auto again = SteadyClock::now();
  const auto found = cache.get_many<int>({paused, other_key}, {.level = Level::l2});
  EXPECT_LT(SteadyClock::now() - again, 2s);
  EXPECT_EQ(found[1], 2) << "of its own master it was answered";
  const auto stored = cache.set_many<int>({{paused, 7}, {other_key, 8}});
  EXPECT_FALSE(stored[0]);
  EXPECT_TRUE(stored[1]) << stored[1].reason();
  cache.del_many({paused, other_key});
  EXPECT_EQ(cache.get<int>(other_key, {.level = Level::l2}), std::nullopt);
  cluster->resume(silent);
  EXPECT_TRUE(eventually([&] { return bool(cache.set(paused, 3)); }));
}

TEST_F(ChangingCluster, NodesAreReachedWhereTheAddressMapSays) {
  make({.masters = 2, .replicas = 0});
  // Nobody listens there.
  cluster->announce(0, "127.0.0.1", 7);
  ASSERT_TRUE(eventually([&] {
    return cluster->command(1, {"CLUSTER", "SHARDS"}).find("(integer) 7") != std::string::npos ||
           cluster->command(1, {"CLUSTER", "NODES"}).find(":7@") != std::string::npos;
  }));
  ManagerOptions made = options(true);
  made.url = "redis://" + cluster->address(1) + "?cluster=true&address_map=127.0.0.1:7=" + cluster->address(0);
  CacheManager cache(made);
  ASSERT_TRUE(l1_is_up(cache));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(cache.set("k" + std::to_string(i), i));
  EXPECT_TRUE(check_health(cache).healthy);
}

TEST_F(ChangingCluster, AUserOfAnAclIsLoggedInAtEachNode) {
  make({.masters = 2,
        .replicas = 0,
        .server = {.password = "s3cret", .users = {"alice on >wonder ~dsta:* &__redis__:invalidate &dsta:* +@all"}}});
  ManagerOptions made = options(true);
  made.url = cluster->url("alice:wonder");
  CacheManager cache(made);
  ASSERT_TRUE(l1_is_up(cache));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(cache.set("k" + std::to_string(i), i));
  EXPECT_EQ(cache.delete_pattern("k*"), 20u);
  made.url = cluster->url("alice:wrong");
  CacheManager stranger(made);
  const SetResult refused = stranger.set("k", 1);
  EXPECT_FALSE(refused);
  EXPECT_NE(refused.reason().find("WRONGPASS"), std::string::npos) << refused.reason();
}

TEST_F(ChangingCluster, SpeaksTlsWithEachNode) {
  const Certificates files;
  if (!files.made()) GTEST_SKIP() << "no openssl on this machine";
  make({.masters = 2,
        .replicas = 0,
        .server = {.tls = RedisTls{files.certificate("server"), files.key("server"), files.certificate("ca")}}});
  ManagerOptions made = options(true);
  made.tls.ca_file = files.certificate("ca");
  made.tls.verify = false;
  CacheManager cache(made);
  ASSERT_TRUE(l1_is_up(cache));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(cache.set("k" + std::to_string(i), i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(cache.get<int>("k" + std::to_string(i)), i);
}

TEST_F(ChangingCluster, AChildOfAForkHasLinksOfItsOwn) {
  if (testing_support::kSanitized) GTEST_SKIP() << "sanitizers do not follow a fork with threads";
  make({.masters = 2, .replicas = 0});
  CacheManager cache(options(true));
  ASSERT_TRUE(l1_is_up(cache));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(cache.set("k" + std::to_string(i), i));
  const pid_t child = ::fork();
  if (child == 0) {
    bool right = true;
    for (int i = 0; i < 20; ++i) right = right && cache.get<int>("k" + std::to_string(i)) == i;
    for (int i = 0; i < 20; ++i) right = right && cache.set("c" + std::to_string(i), i);
    right = right && l1_is_up(cache);
    ::_exit(right ? 0 : 1);
  }
  for (int i = 0; i < 200; ++i) EXPECT_EQ(cache.get<int>("k" + std::to_string(i % 20)), i % 20);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(cache.get<int>("c" + std::to_string(i)), i);
}

}  // namespace
}  // namespace dsta::cache
