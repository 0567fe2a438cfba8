// A server that goes away and comes back: how soon all is well again, and what was invalidated meanwhile.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using SteadyClock = std::chrono::steady_clock;

struct Recovery : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    server = std::make_unique<RedisServer>();
    proxy = std::make_unique<FaultProxy>(server->port());
    cache = CacheManager(over_redis(proxy->url(), GetParam()));
    near = CacheManager(over_redis(server->url(), false));
  }
  static bool good(CacheManager& manager, int i) {
    return manager.set("probe", i, {.level = Level::l2}) && manager.get<int>("probe", {.level = Level::l2}) == i;
  }
  void cut_off() {
    proxy->set(Fault::reset_on_accept());
    proxy->reset_connections();
  }
  static double milliseconds(SteadyClock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

  std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
  CacheManager cache, near;  // `near` reaches the server past the proxy
};
INSTANTIATE_TEST_SUITE_P(On, Recovery, ::testing::Bool(), [](const auto& tested) { return levels_name(tested.param); });

TEST_P(Recovery, AfterAKillAndARestartTheServerIsInUseAtOnce) {
  ASSERT_TRUE(good(cache, 1));
  for (int round = 0; round < 3; ++round) {
    server->kill();
    const auto until = SteadyClock::now() + 1s;
    while (SteadyClock::now() < until) cache.set("k", 1), (void)cache.get<int>("k");
    EXPECT_FALSE(cache.set("k", 1, {.level = Level::l2}));
    server->start();
    const auto back = SteadyClock::now();
    ASSERT_TRUE(eventually([&] { return good(cache, 2); }, 3s));
    const auto first = SteadyClock::now() - back;
    std::this_thread::sleep_until(back + 2s);
    int well = 0;
    for (int i = 0; i < 500; ++i) well += good(cache, i) ? 1 : 0;
    std::printf("first good operation after %.0f ms, %.1f %% good after 2 s\n", milliseconds(first), well / 5.0);
    EXPECT_GE(well, 495);
  }
}

TEST_P(Recovery, AServerThatHangsAndGoesOnIsInUseAtOnce) {
  ASSERT_TRUE(good(cache, 1));
  server->pause();
  const auto begun = SteadyClock::now();
  EXPECT_FALSE(good(cache, 2));
  EXPECT_LT(SteadyClock::now() - begun, 2s) << "a set and a get of 200 ms each";
  std::this_thread::sleep_for(500ms);
  server->resume();
  EXPECT_TRUE(eventually([&] { return good(cache, 3); }, 3s));
}

TEST_P(Recovery, WhileTheServerIsAwayItIsTriedAtMostTwiceASecond) {
  ASSERT_TRUE(good(cache, 1));
  cut_off();
  const auto begun = SteadyClock::now();
  while (SteadyClock::now() - begun < 4s) {
    (void)cache.get("k");
    cache.set("k", "v");
    cache.increment("n");
    std::this_thread::sleep_for(100us);
  }
  std::size_t attempts = 0;
  for (const auto& at : proxy->accepted()) attempts += at >= begun ? 1 : 0;
  std::printf("%zu attempts in 4 s\n", attempts);
  EXPECT_GE(attempts, 2u) << "it does try";
  EXPECT_LE(attempts, 10u);
}

TEST_P(Recovery, WhatFailsWithoutAServerIsServedByTheLoader) {
  server->kill();
  int loads = 0;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int i) { return ++loads, i; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(f(i), i);
  EXPECT_EQ(cache.get_or_load("k", [] { return 5; }), 5);
  EXPECT_EQ(loads, 10);
  EXPECT_FALSE(cache.increment("n"));
  EXPECT_EQ(cache.set("l2", 1, {.level = Level::l2}), SetResult::not_stored);
  EXPECT_FALSE(cache.set("l2", 1, {.level = Level::l2}).reason().empty());
  cache.del("k"), cache.delete_pattern("f:*"), cache.flush_all();
  EXPECT_EQ(cache.get_many<int>({"a", "b"}), std::vector<std::optional<int>>(2));
}

/// The ways to invalidate "f:1", a value of a wrapped function tagged "t".
struct Way {
  const char* name;
  std::function<void(CacheManager&)> invalidate;
};

TEST_P(Recovery, InvalidationsDuringAnOutageHoldHereAtOnce) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [](int i) { return i; });
  const auto theirs = near.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [](int) { return -1; });
  const Way kWays[] = {{"del", [](CacheManager& c) { c.del("f:1"); }},
                       {"invalidate", [&](CacheManager&) { f.invalidate(1); }},
                       {"delete_pattern", [](CacheManager& c) { c.delete_pattern("f:*"); }},
                       {"invalidate_tag", [](CacheManager& c) { c.invalidate_tag("t"); }},
                       {"cache_clear", [&](CacheManager&) { f.cache_clear(); }},
                       {"flush_all", [](CacheManager& c) { c.flush_all(); }},
                       {"set with no ttl", [](CacheManager& c) { c.set("f:1", 0, {.ttl = 0s}); }}};
  for (const Way& way : kWays) {
    SCOPED_TRACE(way.name);
    ASSERT_TRUE(eventually([&] { return good(cache, 1); }, 5s));
    ASSERT_TRUE(f.put(1, 7));
    ASSERT_TRUE(eventually([&] { return theirs.peek(1) == 7; }, 1s));
    cut_off();
    way.invalidate(cache);
    EXPECT_FALSE(f.peek(1));
    EXPECT_FALSE(cache.exists("f:1"));
    EXPECT_EQ(theirs.peek(1), 7) << "the server did not confirm it";
    proxy->clear();
    const auto back = SteadyClock::now();
    EXPECT_TRUE(eventually(
        [&] {
          EXPECT_FALSE(f.peek(1)) << "until it has confirmed, the key is not read there";
          return !theirs.peek(1);
        },
        4s));
    std::printf("%s: applied %.0f ms after the server's return\n", way.name, milliseconds(SteadyClock::now() - back));
    // A removal whose reply was late is made once more, and may take this value, too.
    EXPECT_TRUE(eventually([&] { return theirs.refresh(1) == -1 && f(1) == -1; }, 2s))
        << "and then it is read there again";
  }
}

TEST_P(Recovery, AValueSetAfterAPendingInvalidationStays) {
  ASSERT_TRUE(cache.set("k", "old"));
  cut_off();
  cache.del("k");
  proxy->clear();
  ASSERT_TRUE(eventually([&] { return bool(cache.set("k", "new")); }, 5s));
  EXPECT_EQ(cache.get("k"), "new");
  std::this_thread::sleep_for(2500ms);
  EXPECT_EQ(cache.get("k"), "new");
  EXPECT_EQ(near.get("k"), "new");
}

TEST_P(Recovery, TooManyPendingInvalidationsForgetEverything) {
  constexpr int kMany = 20'000;
  ASSERT_TRUE(cache.set("first", 1, {.ttl = 600s}));
  ASSERT_TRUE(cache.set("last", 1, {.ttl = 600s}));
  cut_off();
  cache.del("first");
  for (int i = 0; i < kMany; ++i) cache.del("k" + std::to_string(i));
  cache.del("last");
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return !near.get<int>("first") && !near.get<int>("last"); }, 4s));
  EXPECT_FALSE(cache.get<int>("first"));
  EXPECT_FALSE(cache.get<int>("last"));
}

}  // namespace
}  // namespace dsta::cache
