// The configuration in examples/deploy does what docs/deployment.md says of it, and its users may do what they need.
#include <dsta/cache/health.hpp>
#include <dsta/cache/invalidator.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "child_process.hpp"
#include "eventually.hpp"
#include "net.hpp"
#include "redis_cluster.hpp"
#include "redis_server.hpp"
#include "wire_client.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

/// A server or sentinel with a file of examples/deploy, on a loopback port and in a directory of its own.
class ExampleServer {
 public:
  static constexpr const char* kPassword = "harness-secret";

  /// `swap`: a text of the file and what takes its place; `more`: further arguments.
  ExampleServer(const std::string& file, std::pair<std::string, std::string> swap, Words more) {
    if (!::mkdtemp(directory_.data())) throw net_error("mkdtemp");
    const std::string config = copy(file, std::move(swap)), users = copy("users.acl", {});
    Words words{"redis-server", config, "--bind", "127.0.0.1", "--port", std::to_string(port()), "--dir", directory_};
    if (file == "redis.conf") {
      std::ofstream(users, std::ios::app) << "user harness on >" << kPassword << " ~* &* +@all\n";
      words.insert(words.end(), {"--aclfile", users});
    }
    words.insert(words.end(), more.begin(), more.end());
    process_ = std::make_unique<ChildProcess>(RedisServer::program(), words, directory_ + "/log");
  }
  ~ExampleServer() {
    process_.reset();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  std::uint16_t port() const { return port_.port(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string as(const std::string& user, const std::string& password, const Words& words) const {
    try {
      WireClient client = WireClient::tcp(port());
      const std::string welcome = client.call({"AUTH", user, password});
      return welcome == "OK" ? client.call(words) : welcome;
    } catch (const NetError& error) {
      return error.what();
    }
  }
  std::string harness(const Words& words) const { return as("harness", kPassword, words); }
  std::string setting(const std::string& name) const {
    const std::string reply = harness({"CONFIG", "GET", name});
    return reply.substr(reply.find('\n') + 1);
  }
  std::string log() const {
    std::ifstream file(directory_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string copy(const std::string& file, std::pair<std::string, std::string> swap) const {
    std::ifstream from(std::string(DSTA_CACHE_DEPLOY_DIR) + "/" + file);
    std::string text{std::istreambuf_iterator<char>(from), {}};
    EXPECT_FALSE(text.empty()) << file;
    if (const std::size_t at = text.find(swap.first); !swap.first.empty() && at != text.npos) {
      text.replace(at, swap.first.size(), swap.second);
    }
    const std::string to = directory_ + "/" + file;
    std::ofstream(to) << text;
    return to;
  }
  std::string directory_ = "/tmp/dsta-deploy-XXXXXX";
  ReservedPort port_;
  std::unique_ptr<ChildProcess> process_;
};

std::unique_ptr<ExampleServer> example_redis(Words more = {}) {
  auto server = std::make_unique<ExampleServer>("redis.conf", std::pair<std::string, std::string>{}, std::move(more));
  EXPECT_TRUE(eventually([&] { return server->as("health", "any", {"PING"}) == "PONG"; })) << server->log();
  return server;
}

/// All that a manager may ask of its server.
void use_all_of(CacheManager& cache) {
  ASSERT_TRUE(eventually([&] { return bool(cache.set("first", "v")); }));
  EXPECT_EQ(cache.get("first"), "v");
  EXPECT_TRUE(cache.set("tagged", "v", {.ttl = 60s, .tags = {"t"}}));
  EXPECT_TRUE(cache.set("large", std::string(600'000, 'x'), {.ttl = 60s}));
  EXPECT_EQ(cache.get("large").value_or("").size(), 600'000u);
  cache.set_many<std::string>(std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(cache.get_many({"a", "b"}).size(), 2u);
  EXPECT_TRUE(cache.exists("a"));
  EXPECT_TRUE(cache.get_ttl("a").has_value());
  EXPECT_EQ(cache.increment("n", 2, {.ttl = 60s}), 2);
  EXPECT_EQ(cache.increment("n"), 3);
  auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [](int i) { return i; });
  EXPECT_EQ(f(1), 1);
  f.refresh(1);
  f.invalidate(1);
  f.cache_clear();
  auto raw = cache.cached({.ttl = 60s, .prefix = "raw", .raw = true}, [](int i) { return std::to_string(i); });
  EXPECT_EQ(raw(1), "1");
  EXPECT_EQ(cache.get_or_load("loaded", [] { return std::string("v"); }), "v");
  EXPECT_TRUE(cache.del("a"));
  EXPECT_EQ(cache.del_many({"b"}), 1u);
  EXPECT_EQ(cache.delete_pattern("lar*"), 1u);
  cache.invalidate_tag("t");
  cache.flush_all();
  EXPECT_EQ(cache.get_stats().pending_invalidations, 0u);
  EXPECT_FALSE(cache.exists("first"));
}

struct Deployment : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  }
};

TEST_F(Deployment, TheExampleServerIsSetAsThePageSays) {
  const auto server = example_redis();
  EXPECT_EQ(server->setting("maxmemory"), std::to_string(2ULL << 30));
  EXPECT_EQ(server->setting("maxmemory-policy"), "allkeys-lru");
  EXPECT_EQ(server->setting("appendonly"), "yes");
  EXPECT_EQ(server->setting("appendfsync"), "everysec");
  EXPECT_EQ(server->setting("save"), "900 1 300 10 60 10000");
  EXPECT_EQ(server->setting("lazyfree-lazy-eviction"), "yes");
  EXPECT_EQ(WireClient::tcp(server->port()).call({"PING"}), "-NOAUTH Authentication required.");
  EXPECT_EQ(server->as("cache", "change-me", {"SET", "other:k", "v"}).substr(0, 7), "-NOPERM");
  EXPECT_EQ(server->as("health", "any", {"GET", "dsta:k"}).substr(0, 7), "-NOPERM");
}

/// As arguments: what redis.conf has behind this comment, commented out.
Words lines_behind(const std::string& comment) {
  std::ifstream file(std::string(DSTA_CACHE_DEPLOY_DIR) + "/redis.conf");
  Words words;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (inside && line.empty()) break;
    if (const std::size_t value = line.find(' ', 2); inside) {
      words.insert(words.end(), {"--" + line.substr(2, value - 2), line.substr(value + 1)});
    }
    inside = inside || line.starts_with("# " + comment);
  }
  return words;
}

TEST_F(Deployment, TheExampleServerIsANodeWithTheLinesForIt) {
  if (!RedisCluster::available()) GTEST_SKIP() << "no redis-server 7.0 or later on this machine";
  const ReservedPort bus;
  Words lines = lines_behind("With Cluster");
  ASSERT_EQ(lines.size(), 12u);
  lines.insert(lines.end(), {"--cluster-port", std::to_string(bus.port())});
  const auto server = example_redis(lines);
  EXPECT_NE(server->harness({"INFO", "cluster"}).find("cluster_enabled:1"), std::string::npos);
  EXPECT_EQ(server->setting("cluster-require-full-coverage"), "no");
  EXPECT_EQ(server->setting("cluster-replica-validity-factor"), "3");
  const Words of_sentinel = lines_behind("With Sentinel");
  ASSERT_EQ(of_sentinel.size(), 8u);
  EXPECT_EQ(example_redis(of_sentinel)->setting("min-replicas-max-lag"), "10");
}

TEST_F(Deployment, TheExampleUserMayDoWhatTheLibraryAsks) {
  const auto server = example_redis();
  for (const bool tracks : {true, false}) {
    const std::string mode = tracks ? "tracking" : "announcements";
    const CoherenceMode expected = tracks ? CoherenceMode::tracking : CoherenceMode::announcements;
    const std::string url = "redis://cache:change-me@" + server->address() + "?socket_timeout=5s&ping_period=50ms";
    CacheManager cache(url + "&coherence=" + mode);
    use_all_of(cache);
    const Health health = check_health(cache);
    EXPECT_TRUE(health.healthy) << health.error;
    EXPECT_EQ(health.warning.empty(), tracks) << health.warning;  // else of what is not heard
    EXPECT_TRUE(eventually([&] { return cache.get_stats().coherence == expected; })) << mode;
    // The channel's own commands come with its first ping.
    const std::string pinged = tracks ? "cmdstat_client|getredir:" : "cmdstat_publish:";
    EXPECT_TRUE(eventually([&] {
      return server->harness({"INFO", "commandstats"}).find(pinged) != std::string::npos;
    }));
    EXPECT_EQ(server->harness({"ACL", "LOG"}), "") << "nothing was refused";
  }
}

TEST_F(Deployment, TheExampleUserMayDoWhatTheLibraryAsksOfACluster) {
  if (!RedisCluster::available()) GTEST_SKIP() << "no redis-server 7.0 or later on this machine";
  std::ifstream file(std::string(DSTA_CACHE_DEPLOY_DIR) + "/users.acl");
  RedisOptions each{.users = {"default off"}};
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("user cache ")) each.users.push_back(line.substr(5));
  }
  ASSERT_EQ(each.users.size(), 2u);
  RedisCluster cluster({.replicas = 0, .server = each});
  for (const std::string mode : {"tracking", "announcements"}) {
    CacheManager cache(cluster.url("cache:change-me") + "&socket_timeout=5s&ping_period=50ms&coherence=" + mode);
    use_all_of(cache);
    EXPECT_TRUE(check_health(cache).healthy) << check_health(cache).error;
    // An ASK needs a right, too.
    const std::string key = "{moves}";
    const std::size_t from = cluster.master_of("dsta:" + key), to = (from + 1) % 3;
    ASSERT_TRUE(cache.set(key, "v", {.ttl = 60s}));
    cluster.begin_migration(slot_of(key), to);
    cluster.migrate_keys(slot_of(key), to);
    EXPECT_EQ(cache.get(key, {.level = Level::l2}), "v");
    cluster.end_migration(slot_of(key), to);
    EXPECT_EQ(cache.get(key, {.level = Level::l2}), "v");
    EXPECT_EQ(cache.get_stats().l2_errors, 0u);
    std::this_thread::sleep_for(120ms);  // two pings
    for (std::size_t i = 0; i < cluster.nodes(); ++i) EXPECT_EQ(cluster.command(i, {"ACL", "LOG"}), "") << mode;
  }
}

TEST_F(Deployment, TheExampleSentinelFollowsItsServers) {
  const Words follow{"--masteruser", "replication", "--masterauth", "change-me-too"};
  const auto master = example_redis(follow);
  Words of_replica = follow;
  of_replica.insert(of_replica.end(), {"--replicaof", "127.0.0.1 " + std::to_string(master->port())});
  const auto replica = example_redis(of_replica);
  EXPECT_TRUE(eventually([&] {
    return replica->harness({"INFO", "replication"}).find("master_link_status:up") != std::string::npos;
  })) << replica->log();

  const std::string named = "redis1 6379 2", here = "127.0.0.1 " + std::to_string(master->port()) + " 1";
  ExampleServer sentinel("sentinel.conf", {named, here}, {"--sentinel"});
  const auto ask = [&](const Words& words) { return sentinel.as("sentinels", "change-me-four", words); };
  ASSERT_TRUE(eventually(
      [&] {
        return ask({"SENTINEL", "MASTER", "dsta"}).find("num-slaves\n1") != std::string::npos;
      },
      30s))
      << sentinel.log();
  CacheManager cache("redis-sentinel://cache:change-me@" + sentinel.address() +
                     "/dsta?sentinel_username=cache&sentinel_password=change-me");
  ASSERT_TRUE(eventually([&] { return bool(cache.set("k", "v")); }));
  EXPECT_EQ(cache.get_stats().server, master->address());
  ASSERT_TRUE(eventually([&] { return ask({"SENTINEL", "FAILOVER", "dsta"}) == "OK"; }, 20s));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().server == replica->address(); }, 30s)) << sentinel.log();
  use_all_of(cache);
  for (const ExampleServer* each : {master.get(), replica.get()}) EXPECT_EQ(each->harness({"ACL", "LOG"}), "");
  EXPECT_EQ(ask({"ACL", "LOG"}), "");
}

}  // namespace
}  // namespace dsta::cache
