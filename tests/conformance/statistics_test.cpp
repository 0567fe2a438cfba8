// What is counted after each call, and what the health check says.
#include <dsta/cache/health.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Statistics : BackendTest {
  struct Counts {
    std::uint64_t hits = 0, misses = 0, sets = 0, deletes = 0;
  };
  /// What was counted since the last look.
  void expect_counted(const std::string& call, Counts counts) {
    const CacheStats stats = cache.get_stats();
    EXPECT_EQ(stats.hits, counts.hits) << call;
    EXPECT_EQ(stats.misses, counts.misses) << call;
    EXPECT_EQ(stats.sets, counts.sets) << call;
    EXPECT_EQ(stats.deletes, counts.deletes) << call;
    EXPECT_EQ(stats.total_requests, counts.hits + counts.misses) << call;
    cache.clear_stats();
  }
};
INSTANTIATE_TEST_SUITE_P(On, Statistics, all_backends(), backend_name);

TEST_P(Statistics, OfManualCalls) {
  cache.set("k", "v");
  expect_counted("set", {.sets = 1});
  cache.set("none", "v", {.ttl = 0s});
  expect_counted("set that stores nothing", {});
  (void)cache.get("k");
  expect_counted("get", {.hits = 1});
  (void)cache.get("absent");
  expect_counted("get of nothing", {.misses = 1});
  (void)cache.get<int>("k");
  expect_counted("get of another type", {.misses = 1});
  (void)cache.get_or("absent", "fallback");
  expect_counted("get_or", {.misses = 1});
  (void)cache.lookup("k");
  expect_counted("lookup", {.hits = 1});
  (void)cache.exists("k"), (void)cache.get_ttl("k");
  expect_counted("exists and get_ttl", {});
  (void)cache.get_many({"k", "absent", "k"});
  expect_counted("get_many", {.hits = 2, .misses = 1});
  cache.set_many<int>({{"a", 1}, {"b", 2}});
  expect_counted("set_many", {.sets = 2});
  cache.del("k");
  expect_counted("del", {.deletes = 1});
  cache.del("k");
  expect_counted("del of nothing", {});
  cache.del_many({"a", "absent"});
  expect_counted("del_many", {.deletes = 1});
  cache.delete_pattern("b*");
  expect_counted("delete_pattern", {.deletes = 1});
  cache.get_or_load("k", [] { return 1; });
  expect_counted("get_or_load that loads", {.misses = 1, .sets = 1});
  cache.get_or_load("k", [] { return 1; });
  expect_counted("get_or_load that finds", {.hits = 1});
}

TEST_P(Statistics, OfWrappedCalls) {
  const auto f =
      cache.cached({.ttl = 60s, .prefix = "f"}, [](int i) { return i < 0 ? throw std::domain_error("negative") : i; });
  f(1);
  expect_counted("a call that loads", {.misses = 1, .sets = 1});
  f(1);
  expect_counted("a call that finds", {.hits = 1});
  EXPECT_THROW(f(-1), std::domain_error);
  expect_counted("a call that fails", {.misses = 1});
  (void)f.peek(1), (void)f.peek(2);
  expect_counted("peek", {});
  f.put(2, 2);
  expect_counted("put", {.sets = 1});
  f.refresh(1);
  expect_counted("refresh", {.sets = 1});
  f.invalidate(1);
  expect_counted("invalidate", {.deletes = 1});
}

TEST_P(Statistics, OfAFunctionAndAPrefix) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api"}, [](int i) { return i; });
  f(1), f(1), f(2);
  cache.set("k", 1, {.prefix = "manual"});
  const FunctionInfo info = f.cache_info();
  EXPECT_EQ(info.hits, 1u);
  EXPECT_EQ(info.misses, 2u);
  EXPECT_EQ(info.loads, 2u);
  EXPECT_EQ(info.sets, 2u);
  const auto by_prefix = cache.get_stats_by_prefix();
  ASSERT_TRUE(by_prefix.contains("api") && by_prefix.contains("manual"));
  EXPECT_EQ(by_prefix.at("api").total_requests, 3u);
  EXPECT_EQ(by_prefix.at("manual").sets, 1u);
}

TEST_P(Statistics, StaleHitsAreCountedAsSuchByEveryRead) {
  const EntryOptions options{.ttl = 60s, .prefix = "p", .tags = {"t"}, .stale_for = 60s};
  cache.set("a", 1, options), cache.set("b", 2, options), cache.set("c", 3, {.ttl = 60s, .prefix = "p"});
  cache.invalidate_tag("t", TagMode::expire);
  cache.clear_stats();
  const auto expect_stale = [&](const char* call, std::uint64_t hits, std::uint64_t stale) {
    EXPECT_EQ(cache.get_stats().hits, hits) << call;
    EXPECT_EQ(cache.get_stats().stale_served, stale) << call;
    cache.clear_stats();
  };
  (void)cache.get<int>("a", {.prefix = "p"});
  expect_stale("get", 1, 1);
  (void)cache.lookup<int>("a", {.prefix = "p"});
  expect_stale("lookup", 1, 1);
  (void)cache.get_many<int>({"a", "absent", "b", "c"}, {.prefix = "p"});
  expect_stale("get_many", 3, 2);
}

TEST_P(Statistics, WhatCannotBeDecodedIsCountedForWhoAsked) {
  if (embedded()) GTEST_SKIP() << "nothing is decoded";
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](int i) { return i; });
  for (const std::string& key : {std::string("p:b"), f.key_for(1)})
    server->command({"SET", at_server(key), "\xC1\xFF\xD5?"});
  (void)cache.get<int>("b", {.prefix = "p"});
  (void)cache.get_many<int>({"b"}, {.prefix = "p"});
  (void)f.peek(1);
  const auto by_prefix = cache.get_stats_by_prefix();
  EXPECT_EQ(by_prefix.at("p").codec_errors, 2u);
  ASSERT_TRUE(by_prefix.contains("f"));
  EXPECT_EQ(by_prefix.at("f").codec_errors, 1u);
  EXPECT_FALSE(by_prefix.contains("")) << "nobody asked without a prefix";
}

TEST_P(Statistics, RatesAreOfRequests) {
  cache.set("k", 1);
  for (int i = 0; i < 10; ++i) (void)cache.get<int>("k");
  (void)cache.get<int>("absent");
  EXPECT_EQ(cache.get_stats().hit_rate_text(), "90.91%");
  cache.clear_stats();
  EXPECT_EQ(cache.get_stats().hit_rate_text(), "0.00%");
}

TEST_P(Statistics, HealthNamesItsBackendAndCountsNothing) {
  const Health health = check_health(cache);
  EXPECT_TRUE(health.healthy) << health.error;
  EXPECT_EQ(health.backend, embedded() ? "memory" : "redis");
  EXPECT_GE(health.latency, Duration::zero());
  EXPECT_TRUE(health.error.empty());
  expect_counted("check_health", {});
}

struct SharedHealth : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, SharedHealth, redis_backends(), backend_name);

TEST_P(SharedHealth, IsThatOfTheServerAndLeavesNothingBehind) {
  RedisServer own;
  ManagerOptions options;
  options.url = own.url();
  options.log.level = LogLevel::off;
  options.l1.enabled = has_l1();
  options.pool.socket_timeout = 300ms;
  CacheManager mine(std::move(options));
  EXPECT_TRUE(check_health(mine).healthy);
  EXPECT_EQ(own.command({"KEYS", "*health*"}), "");
  own.kill();
  const Health health = check_health(mine);
  EXPECT_FALSE(health.healthy) << "it is the server that is asked, not a copy in this process";
  EXPECT_EQ(health.backend, "redis");
  EXPECT_FALSE(health.error.empty());
}

TEST_P(Statistics, HitsThatTheServerAnsweredAreItsOwn) {
  CacheManager other = manager();
  other.set("get", 1), other.set("lookup", 1), other.set_many<int>({{"a", 1}, {"b", 1}});
  const auto load = [](int i) { return i; };
  other.cached({.ttl = 60s, .prefix = "f"}, load)(1);
  const std::uint64_t its = embedded() ? 0 : 1;
  const auto expect_its = [&](const char* call, std::uint64_t hits) {
    EXPECT_EQ(cache.get_stats().l2_hits, hits) << call;
    cache.clear_stats();
  };
  (void)cache.get<int>("get");
  expect_its("get", its);
  (void)cache.lookup<int>("lookup");
  expect_its("lookup", its);
  (void)cache.get_many<int>({"a", "absent", "b"});
  expect_its("get_many", 2 * its);
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, load);
  f(1);
  expect_its("a function's", its);
  f(2);
  expect_its("a load", 0);
  (void)check_health(cache);
  expect_its("a health check", 0);
}

}  // namespace
}  // namespace dsta::cache
