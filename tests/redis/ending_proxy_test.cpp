// A proxy that ends the connection at commands it does not know: what it lacks is found out, and the rest works.
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "refusing_proxy.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct EndingProxyTest : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  std::unique_ptr<RefusingProxy> proxy_without(std::vector<std::string> unknown) {
    return std::make_unique<RefusingProxy>(
        server.port(),
        [unknown = std::move(unknown)](const auto& words) {
          for (const std::string& each : unknown) {
            const bool both = words.size() > 1 && upper(words[0]) + " " + upper(words[1]) == each;
            if (both || upper(words[0]) == each) return true;
          }
          return false;
        },
        RefusingProxy::By::end);
  }
  RedisServer server;
};

TEST_F(EndingProxyTest, OneListenerTakesNobodysServerAway) {
  ManagerOptions listening = over_redis(server.url(), true, 2s);
  listening.l1.coherence = CoherenceMode::announcements;
  CacheManager listener(std::move(listening));
  ASSERT_TRUE(eventually([&] { return listener.get_stats().coherence == CoherenceMode::announcements; }, 10s));
  const auto proxy = proxy_without({"PUBLISH"});
  CacheManager cache(over_redis(proxy->url(), false, 2s));
  ASSERT_TRUE(eventually([&] { return bool(cache.set("k", 1, {.ttl = 60s})); }, 20s));
  const int before = proxy->refused();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(cache.set("k", i, {.ttl = 60s})) << i;
  EXPECT_EQ(proxy->refused(), before) << "it is not tried again and again";
  EXPECT_NE(check_health(cache).warning.find("no PUBLISH"), std::string::npos) << check_health(cache).warning;
}

TEST_F(EndingProxyTest, ManyThreadsFindOneWayToCheck) {
  const auto proxy = proxy_without({"ECHO"});
  CacheManager cache(over_redis(proxy->url(), false, 2s));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto end = std::chrono::steady_clock::now() + 20s;
      while (!cache.set("k" + std::to_string(t), t, {.ttl = 60s}) && std::chrono::steady_clock::now() < end) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 1, {.ttl = 60s})); }, 20s));
  const std::string warning = check_health(cache).warning;
  EXPECT_NE(warning.find("no ECHO"), std::string::npos) << warning;
  EXPECT_EQ(warning.find("no PING"), std::string::npos) << "that is to be had: " << warning;
}

TEST_F(EndingProxyTest, ASelfTestThatEndsConnectionsIsGivenUp) {
  const auto proxy = proxy_without({"CLIENT TRACKING"});
  CacheManager cache(over_redis(proxy->url(), true, 2s));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().coherence == CoherenceMode::announcements; }, 20s));
}

TEST_F(EndingProxyTest, WithoutAnyModeCoherenceIsOff) {
  const auto proxy = proxy_without({"CLIENT", "SUBSCRIBE", "PUBLISH"});
  CacheManager cache(over_redis(proxy->url(), true, 2s));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().coherence == CoherenceMode::off; }, 30s));
  EXPECT_FALSE(check_health(cache).warning.empty());
}

/// What is refused may be allowed later.
TEST_F(EndingProxyTest, GrantedEchoIsUsedFromTheNextConnectionOn) {
  server.command({"ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-echo"});
  CacheManager cache(over_redis("redis://app:pw@127.0.0.1:" + std::to_string(server.port()), false, 2s));
  ASSERT_TRUE(eventually([&] { return bool(cache.set("k", 1, {.ttl = 60s})); }, 10s));
  EXPECT_NE(check_health(cache).warning.find("no ECHO"), std::string::npos) << check_health(cache).warning;
  server.command({"ACL", "SETUSER", "app", "+echo"});
  server.command({"CLIENT", "KILL", "USER", "app"});
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 2, {.ttl = 60s})); }, 10s));
  EXPECT_EQ(check_health(cache).warning, "");
}

}  // namespace
}  // namespace dsta::cache
