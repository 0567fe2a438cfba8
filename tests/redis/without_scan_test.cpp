// A server without SCAN: what flush_all cannot look for is not read, and all else is.
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct WithoutScan : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    RedisOptions options;
    options.users = {"app on >pw ~* &* +@all -scan"};
    server = std::make_unique<RedisServer>(options);
  }
  ManagerOptions options() const {
    return over_redis("redis://app:pw@127.0.0.1:" + std::to_string(server->port()), GetParam(), 2s);
  }
  std::unique_ptr<RedisServer> server;
};
INSTANTIATE_TEST_SUITE_P(Over, WithoutScan, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(WithoutScan, FlushAllTakesL2FromNoEntry) {
  CacheManager cache(options());
  const EntryOptions kept{.ttl = 60s, .prefix = "f"}, there{.ttl = 60s, .level = Level::l2};
  int loads = 0;
  const auto f = cache.cached(kept, std::function<int(int)>([&](int i) { return ++loads, i; }));
  ASSERT_TRUE(cache.set("old", 1, there));
  EXPECT_EQ(f(1), 1);
  cache.flush_all();
  EXPECT_FALSE(cache.get<int>("old", there));
  EXPECT_TRUE(cache.set("k", 1, there));
  EXPECT_EQ(cache.get<int>("k", there), 1);
  EXPECT_TRUE(cache.get_ttl("k", there));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(f(1), 1);
  EXPECT_EQ(loads, 2);
  CacheManager other(options());
  EXPECT_EQ(other.get<int>("f:1"), 1) << "it is stored";
}

TEST_P(WithoutScan, FlushAllHidesWhatItCannotFind) {
  CacheManager cache(options());
  const EntryOptions raw{.ttl = 60s, .raw = true};
  ASSERT_EQ(cache.increment("n", 5), 5);
  ASSERT_TRUE(cache.set("raw", "text", raw));
  cache.flush_all();
  EXPECT_FALSE(cache.get<int>("n"));
  EXPECT_FALSE(cache.exists("n"));
  EXPECT_FALSE(cache.get_ttl("n"));
  EXPECT_FALSE(cache.increment("n"));
  EXPECT_FALSE(cache.get("raw", raw));
  EXPECT_FALSE(cache.set("raw", "newer", raw)) << "it would be removed with the older ones";
  const auto f =
      cache.cached({.ttl = 60s, .prefix = "g", .name = ""}, std::function<int(int)>([](int i) { return i; }));
  server->command({"SET", "dsta:" + f.key_for(1), "7"});
  EXPECT_EQ(f(1), 1) << "what stands there may be from before";
  server->command({"ACL", "SETUSER", "app", "+scan"});
  for (int i = 0; i < 500 && cache.get_stats().pending_invalidations != 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(cache.increment("n"), 1);
  EXPECT_TRUE(cache.set("raw", "newer", raw));
}

}  // namespace
}  // namespace dsta::cache
