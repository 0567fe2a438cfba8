// What is sent to a server: nothing that stops it for others, nothing that touches what is not this cache's.
#include <dsta/cache/health.hpp>
#include <dsta/cache/invalidator.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "heavy.hpp"
#include "monitor.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Transcript : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    server = std::make_unique<RedisServer>();
    ManagerOptions options = over_redis(server->url(), GetParam(), 5s);
    options.space = "shop";
    cache = CacheManager(std::move(options));
  }
  std::unique_ptr<RedisServer> server;
  CacheManager cache;
};
INSTANTIATE_TEST_SUITE_P(On, Transcript, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

/// Each call of the interface that may reach a server.
void call_everything(CacheManager& cache) {
  const EntryOptions options{.ttl = 60s, .prefix = "p", .tags = {"t"}, .stale_for = 60s, .compress_above = 100};
  cache.set("k", std::string(1000, 'v'), options);
  (void)cache.get("k", options), (void)cache.get_or("absent", "v"), (void)cache.lookup("k", options);
  (void)cache.exists("k", options), (void)cache.get_ttl("k", options);
  cache.get_or_load(
      "loaded", [] { return 1; }, options);
  cache.increment("n", 5, {.ttl = 60s}), (void)cache.get<std::int64_t>("n");
  cache.set_many<int>({{"a", 1}, {"b", 2}}, options), (void)cache.get_many<int>({"a", "b", "c"}, options);
  cache.del("k", options), cache.del_many({"a", "b"}, options);
  cache.invalidate_tag("t"), cache.invalidate_tag("t", TagMode::expire);
  cache.set("glob*[a]?\\", 1), cache.delete_pattern("glob*"), cache.delete_pattern("*", {.prefix = "a*b"});
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"n:{0}"}, .negative_ttl = 5s},
                              [](int i) { return i ? std::optional(i) : std::nullopt; });
  f(0), f(1), f(1), (void)f.peek(1), f.refresh(1), f.put(2, 2), f.invalidate(1), f.cache_clear();
  const auto g = cache.cached({.ttl = 60s, .prefix = "g"}, [](int i) { return i; })
                     .bulk_loader([](const std::vector<int>& wanted) { return wanted; });
  g.many({1, 2, 3}), g.many({2, 3, 4});
  CacheInvalidator invalidator(cache);
  invalidator.invalidate_symbol_data("BTCUSDT"), invalidator.invalidate_user_session(1);
  (void)check_health(cache);
  cache.flush_all();
  cache.set("after", 1);
}

TEST_P(Transcript, NamesNoDangerousCommandAndNoKeyOutsideTheSpace) {
  server->command({"SET", "shopping", "another program's"});
  server->command({"SET", "other:p:k", "another program's"});
  Monitor monitor(server->port());
  call_everything(cache);
  const auto commands = monitor.take(server->port());
  ASSERT_GT(commands.size(), 30u);
  std::set<std::string> names;
  for (const auto& command : commands) {
    ASSERT_FALSE(command.empty());
    names.insert(command[0]);
    for (const std::string& key : keys_of(command)) {
      EXPECT_TRUE(key.starts_with("shop:")) << command[0] << ' ' << key;
    }
  }
  for (const char* banned : {"KEYS", "FLUSHALL", "FLUSHDB", "SWAPDB", "DEBUG", "SAVE", "SHUTDOWN", "RANDOMKEY"}) {
    EXPECT_FALSE(names.contains(banned)) << banned;
  }
  EXPECT_EQ(server->command({"GET", "shopping"}), "another program's");
  EXPECT_EQ(server->command({"GET", "other:p:k"}), "another program's");
}

TEST_P(Transcript, AHitIsOneReadAndOneRoundTrip) {
  if (GetParam()) GTEST_SKIP() << "a hit in the process sends nothing";
  cache.set("k", "v");
  (void)cache.get("k");
  Monitor monitor(server->port());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(cache.get("k"), "v");
  const auto commands = monitor.take(server->port());
  // With the versions it depends on, since nothing tells when they are raised.
  EXPECT_EQ(commands.size(), 10u);
  for (const auto& command : commands) EXPECT_EQ(command[0], "MGET");
}

TEST_P(Transcript, AHitInTheProcessSendsNothing) {
  if (!GetParam()) GTEST_SKIP() << "there is no in-process level";
  cache.set("k", "v");
  (void)cache.get("k");
  Monitor monitor(server->port());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(cache.get("k"), "v");
  EXPECT_LT(monitor.take(server->port()).size(), 10u) << "pings aside";
}

TEST_P(Transcript, RemovingByPatternNeverHoldsTheServerUp) {
  const std::size_t keys = heavy(1'000'000, 20'000);
  constexpr const char* kFill = "for i = ARGV[1], ARGV[2] do redis.call('SET', 'shop:many:' .. i, 'v') end";
  for (std::size_t i = 0; i < keys; i += 10'000) {
    server->command({"EVAL", kFill, "0", std::to_string(i), std::to_string(i + 9'999)});
  }
  server->command({"SET", "shop:one:1", "v"});
  ASSERT_EQ(server->command({"EXISTS", "shop:many:" + std::to_string(keys - 1)}), "1");
  // A machine that is busy may stop the server itself for a while: what counts is that it can go without.
  std::string slow = "never tried";
  for (int attempt = 0; attempt < 3 && !slow.empty(); ++attempt) {
    server->command({"CONFIG", "SET", "slowlog-log-slower-than", "5000"});
    server->command({"SLOWLOG", "RESET"});
    cache.delete_pattern(attempt == 0 ? "many:*" : "many*");
    slow = server->command({"SLOWLOG", "GET", "64"});
    // A command about one key is no more work than any other.
    const bool of_many = slow.find("SCAN") != std::string::npos || slow.find("EVAL") != std::string::npos ||
                         slow.find("more arguments") != std::string::npos;
    if (!of_many) slow.clear();
    if (attempt == 0) {
      EXPECT_EQ(server->command({"EXISTS", "shop:many:0", "shop:many:" + std::to_string(keys - 1)}), "0");
      EXPECT_EQ(server->command({"EXISTS", "shop:one:1"}), "1");
    }
    server->command({"CONFIG", "SET", "slowlog-log-slower-than", "-1"});
    for (std::size_t i = 0; i < keys && !slow.empty(); i += 10'000) {
      server->command({"EVAL", kFill, "0", std::to_string(i), std::to_string(i + 9'999)});
    }
  }
  EXPECT_EQ(slow, "");
}

}  // namespace
}  // namespace dsta::cache
