#include "redis_cluster.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "certificates.hpp"
#include "eventually.hpp"
#include "wire_client.hpp"

namespace dsta::cache::testing_support {
namespace {

using namespace std::chrono_literals;

/// Of a cluster in which nothing is to be held for dead, on a busy machine either.
constexpr auto kPatient = 4s;

struct RedisClusterTest : ::testing::Test {
  void SetUp() override {
    if (!RedisCluster::available()) GTEST_SKIP() << "no redis-server 7.0 or later on this machine";
  }
};

std::string begin_of(const std::string& reply) { return reply.substr(0, reply.find(' ')); }

TEST_F(RedisClusterTest, ComesUpWithSlotsSharedAndReplicasThatFollow) {
  RedisCluster cluster({.node_timeout = kPatient});
  ASSERT_EQ(cluster.nodes(), 6u);
  EXPECT_EQ(cluster.url().substr(0, 18), "redis://127.0.0.1:");
  EXPECT_NE(cluster.url().find("," + cluster.address(5) + "?cluster=true"), std::string::npos) << cluster.url();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(cluster.is_master(i));
    EXPECT_EQ(cluster.replica_of(i), i + 3);
  }
  EXPECT_EQ(cluster.master_of_slot(0), 0u);
  EXPECT_EQ(cluster.master_of_slot(16383), 2u);
  for (const std::string key : {"a", "foo", "{user}.1", "x{}y", "{", "{{a}}", "123456789"}) {
    EXPECT_EQ(std::to_string(RedisCluster::slot_of(key)), cluster.command(0, {"CLUSTER", "KEYSLOT", key})) << key;
    const std::size_t master = cluster.master_of(key);
    EXPECT_EQ(cluster.command(master, {"SET", key, "v"}), "OK");
    EXPECT_EQ(begin_of(cluster.command((master + 1) % 3, {"GET", key})), "-MOVED");
  }
}

TEST_F(RedisClusterTest, ASlotMovesStepByStep) {
  RedisCluster cluster({.masters = 2, .replicas = 0, .node_timeout = kPatient});
  const std::uint16_t slot = RedisCluster::slot_of("{t}");
  const std::size_t from = cluster.master_of_slot(slot), to = 1 - from;
  for (int i = 0; i < 25; ++i) cluster.command(from, {"SET", "{t}" + std::to_string(i), "v"});
  cluster.begin_migration(slot, to);
  EXPECT_EQ(cluster.migrate_keys(slot, to, 10), 10u);
  EXPECT_EQ(cluster.command(from, {"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot)}), "15");
  EXPECT_EQ(begin_of(cluster.command(from, {"GET", "{t}none"})), "-ASK");
  EXPECT_EQ(begin_of(cluster.command(to, {"GET", "{t}none"})), "-MOVED");
  EXPECT_EQ(cluster.master_of_slot(slot), from);
  while (cluster.migrate_keys(slot, to, 10) > 0) continue;
  cluster.end_migration(slot, to);
  EXPECT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_EQ(cluster.master_of_slot(slot), to);
  EXPECT_EQ(cluster.command(to, {"GET", "{t}7"}), "v");
  EXPECT_EQ(begin_of(cluster.command(from, {"GET", "{t}7"})), "-MOVED");
  cluster.migrate_slot(slot, from);
  ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_EQ(cluster.command(from, {"GET", "{t}7"}), "v");
}

TEST_F(RedisClusterTest, AReplicaTakesThePlaceOfAKilledMaster) {
  RedisCluster cluster;
  const std::uint16_t slot = RedisCluster::slot_of("k");
  const std::size_t master = cluster.master_of_slot(slot), replica = cluster.replica_of(master);
  EXPECT_EQ(cluster.command(master, {"SET", "k", "v"}), "OK");
  EXPECT_EQ(cluster.command(master, {"WAIT", "1", "5000"}), "1");
  cluster.pause_replication(master);
  EXPECT_EQ(cluster.command(master, {"SET", "k", "lost"}), "OK");
  cluster.kill(master);
  ASSERT_TRUE(cluster.wait_for_failover(slot, master));
  ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_EQ(cluster.master_of_slot(slot), replica);
  EXPECT_EQ(cluster.command(replica, {"GET", "k"}), "v") << "what was written last was not replicated";
  cluster.start(master);
  ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_EQ(cluster.replica_of(replica), master);
  ASSERT_TRUE(cluster.failover(master));
  ASSERT_TRUE(cluster.wait_for_failover(slot, replica));
  ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_EQ(cluster.command(master, {"GET", "k"}), "v");
}

TEST_F(RedisClusterTest, AMasterThatHangsIsReplacedAndFollowsLater) {
  RedisCluster cluster({.masters = 3, .replicas = 1});
  cluster.pause(1);
  ASSERT_TRUE(cluster.wait_for_failover(8000, 1));
  ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_EQ(cluster.master_of_slot(8000), 4u);
  cluster.resume(1);
  ASSERT_TRUE(eventually([&] { return !cluster.is_master(1); }));
  EXPECT_TRUE(cluster.wait_ok()) << cluster.trouble();
}

TEST_F(RedisClusterTest, AsksForPasswordsAndAnnouncesWhatItIsTold) {
  RedisCluster cluster(
      {.masters = 2, .replicas = 1, .server = {.password = "s3cret", .users = {"alice on >wonder ~app:* +@all"}}});
  EXPECT_EQ(cluster.url().substr(0, 26), "redis://:s3cret@127.0.0.1:");
  EXPECT_EQ(cluster.url("alice:wonder").substr(0, 31), "redis://alice:wonder@127.0.0.1:");
  WireClient client = WireClient::tcp(cluster.node(0));
  EXPECT_EQ(client.call({"CLUSTER", "MYID"}), "-NOAUTH Authentication required.");
  EXPECT_EQ(client.call({"AUTH", "alice", "wonder"}), "OK");
  EXPECT_EQ(client.call({"CLUSTER", "MYID"}), cluster.id(0));
  cluster.announce(0, "127.0.0.1", 7);
  EXPECT_TRUE(eventually([&] { return cluster.command(1, {"CLUSTER", "NODES"}).find(":7@") != std::string::npos; }));
  cluster.migrate_slot(8000, 1);  // it logs in, too
}

TEST_F(RedisClusterTest, SpeaksTls) {
  const Certificates files;
  if (!files.made()) GTEST_SKIP() << "no openssl on this machine";
  RedisCluster cluster(
      {.masters = 2,
       .replicas = 1,
       .node_timeout = kPatient,
       .server = {.tls = RedisTls{files.certificate("server"), files.key("server"), files.certificate("ca")}}});
  EXPECT_EQ(cluster.url().substr(0, 19), "rediss://127.0.0.1:");
  const std::size_t from = cluster.master_of("k");
  EXPECT_EQ(cluster.command(from, {"SET", "k", "v"}), "OK");
  cluster.migrate_slot(RedisCluster::slot_of("k"), 1 - from);
  ASSERT_TRUE(cluster.wait_ok()) << cluster.trouble();
  EXPECT_EQ(cluster.command(1 - from, {"GET", "k"}), "v");
}

}  // namespace
}  // namespace dsta::cache::testing_support
