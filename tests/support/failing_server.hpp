#pragma once
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache::testing_support {

using namespace std::chrono_literals;

/// A manager and a server that refuses things, with what holds of every call meanwhile and after. The parameter:
/// whether there is an in-process level.
struct FailingServer : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  }
  void start(RedisOptions options = {}, const std::string& user = "") {
    server = std::make_unique<RedisServer>(std::move(options));
    proxy = std::make_unique<FaultProxy>(server->port());
    const std::string url = "redis://" + user + "127.0.0.1:" + std::to_string(proxy->port());
    cache = CacheManager(over_redis(url, GetParam(), 500ms));
  }
  void config(const std::string& name, const std::string& value) {
    ASSERT_EQ(server->command({"CONFIG", "SET", name, value}), "OK");
  }

  /// While nothing can be stored at the server; an exception fails the test by itself. `where` keeps the in-process
  /// level out of what is asked.
  void expect_no_writes() {
    const EntryOptions where{.ttl = 60s, .prefix = "e", .tags = {"t"}, .level = Level::l2};
    const SetResult result = cache.set("k", "v", where);
    EXPECT_FALSE(result);
    EXPECT_FALSE(result.reason().empty());
    EXPECT_FALSE(cache.increment("n", 1, where));
    EXPECT_FALSE(cache.get("absent", where));
    EXPECT_EQ(cache.get_or_load(
                  "loaded", [] { return 5; }, where),
              5);
    const auto f = cache.cached(where, [](int i) { return i; });
    EXPECT_EQ(f(7), 7);
    EXPECT_EQ(f.refresh(7), 7);
    EXPECT_FALSE(f.put(8, 8));
    (void)f.peek(7), f.invalidate(7), f.cache_clear();
    (void)cache.exists("k", where), (void)cache.get_ttl("k", where), cache.del("k", where);
    for (const SetResult each : cache.set_many<int>({{"a", 1}, {"b", 2}}, where)) EXPECT_FALSE(each);
    (void)cache.get_many({"a", "b"}, where), cache.del_many({"a", "b"}, where);
    cache.delete_pattern("e:*");
    cache.invalidate_tag("t");
    cache.flush_all();
  }
  void expect_no_reads() {
    const EntryOptions where{.level = Level::l2};
    EXPECT_FALSE(cache.get("there", where));
    EXPECT_FALSE(cache.exists("there", where));
    EXPECT_EQ(cache.get_or("there", "fallback", where), "fallback");
  }
  void expect_recovery() {
    const EntryOptions where{.ttl = 60s, .level = Level::l2};
    EXPECT_TRUE(eventually([&] { return bool(cache.set("after", "v", where)); }, 5s));
    EXPECT_EQ(cache.get("after", where), "v");
    EXPECT_TRUE(eventually([&] { return cache.increment("counter").has_value(); }, 5s));
    int loads = 0;
    const auto f = cache.cached({.ttl = 60s, .prefix = "after", .level = Level::l2}, [&](int i) { return ++loads, i; });
    EXPECT_TRUE(eventually([&] { return f(1) == 1 && f.peek(1) == 1; }, 5s));
    const int before = loads;
    EXPECT_EQ(f(1), 1);
    EXPECT_EQ(loads, before);
  }
  /// With a value in the server that reads could find.
  void fill() {
    ASSERT_TRUE(cache.set("there", "v", {.ttl = 600s}));
    ASSERT_EQ(cache.get("there"), "v");
  }

  std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
  CacheManager cache;
};

}  // namespace dsta::cache::testing_support
