// One connection serves all callers, so it is given up for what concerns the server, and for nothing less.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using SharedConnection = ProxiedServer;

TEST_F(SharedConnection, StaysWhenAServerRefusesThePing) {
  ManagerOptions options = over_redis(proxy->url(), true, 5s);
  options.l1.ping_period = 300ms;
  CacheManager cache(std::move(options));
  const auto keeps = [&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; };
  ASSERT_TRUE(eventually(keeps));
  const std::uint64_t made = connections_made(*server);
  proxy->set(Fault::error_reply("MISCONF it is configured to save snapshots, but cannot").on("PING"));
  const std::uint64_t pings = proxy->counters().faults;
  ASSERT_TRUE(eventually([&] { return proxy->counters().faults >= pings + 5; }));
  EXPECT_EQ(cache.lookup<int>("k").source, Source::l1);
  EXPECT_EQ(cache.get_stats().l1_suspensions, 0u);
  EXPECT_EQ(connections_made(*server), made + 1);
}

TEST_F(SharedConnection, StaysWhenNoTimeIsLeftForAnotherRequest) {
  CacheManager cache(over_redis(proxy->url(), false, 4s));
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, std::function<int(int)>([](int n) { return n; }));
  ASSERT_TRUE(cache.set("k", 1));
  EXPECT_EQ(f(0), 0);
  const std::uint64_t made = connections_made(*server);
  // Asking, taking a lease and storing take more than four seconds together: three requests, and two are in time.
  proxy->set(Fault::delay(1800ms));
  EXPECT_EQ(f(1), 1);
  proxy->clear();
  EXPECT_EQ(cache.get<int>("k"), 1);
  EXPECT_EQ(connections_made(*server), made + 1);
}

TEST_F(SharedConnection, IsGivenUpWhenTheServerHasBecomeAReplica) {
  RedisServer promoted;
  CacheManager cache(over_redis(proxy->url(), false, 200ms));
  ASSERT_TRUE(cache.set("k", 1));
  server->command({"REPLICAOF", "127.0.0.1", std::to_string(promoted.port())});
  proxy->set_server(promoted.port());
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 2)); })) << "the address leads to another server now";
  EXPECT_EQ(promoted.command({"EXISTS", "dsta:k"}), "1");
  server->command({"REPLICAOF", "NO", "ONE"});
}

TEST_F(SharedConnection, IsNotReplacedForeverOverAReplica) {
  CacheManager cache(over_redis(server->url(), false, 1s));
  ASSERT_TRUE(cache.set("k", 1));
  server->command({"REPLICAOF", "127.0.0.1", "1"});
  const std::uint64_t made = connections_made(*server);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(cache.set("k", 2));
  EXPECT_EQ(connections_made(*server), made + 1);
  EXPECT_EQ(cache.get<int>("k"), 1);
  server->command({"REPLICAOF", "NO", "ONE"});
}

}  // namespace
}  // namespace dsta::cache
