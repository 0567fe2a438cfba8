// A proxy that ends the connection over a command instead of refusing it costs a few connections, and then nothing.
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "refusing_proxy.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct EndedConnections : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server = std::make_unique<RedisServer>();
  }
  /// After some lost connections `use` is as good as without the commands, and ends no other.
  /// `asked_again`: what waits for them asks for them now and then, on connections of its own.
  void expect_understood(std::vector<std::string> unknown, const std::function<void(CacheManager&)>& use,
                         bool asked_again = false) {
    const RefusingProxy proxy(
        server->port(),
        [unknown](const auto& words) { return std::ranges::find(unknown, upper(words[0])) != unknown.end(); },
        RefusingProxy::By::end);
    CacheManager cache(over_redis(proxy.url(), GetParam(), 2s));
    const auto is_quiet = [&] {
      const int before = proxy.refused();
      for (int i = 0; i < 5; ++i) {
        use(cache);
        std::this_thread::sleep_for(10ms);
      }
      // An open breaker is quiet, too: it sends nothing.
      return (asked_again || proxy.refused() == before) && cache.set("k", -1, {.ttl = 60s}) &&
             !check_health(cache).warning.empty();
    };
    ASSERT_TRUE(eventually(is_quiet, 20s)) << check_health(cache).warning;
    const int before = proxy.refused();
    for (int i = 0; i < 20; ++i) {
      use(cache);
      EXPECT_TRUE(cache.set("k", i, {.ttl = 60s}));
      EXPECT_EQ(cache.get<int>("k"), i);
    }
    EXPECT_LE(proxy.refused(), before + (asked_again ? 1 : 0));
    EXPECT_NE(check_health(cache).warning.find(unknown[0]), std::string::npos) << check_health(cache).warning;
  }
  std::unique_ptr<RedisServer> server;
};
INSTANTIATE_TEST_SUITE_P(Over, EndedConnections, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(EndedConnections, WithoutScriptsLoadsAreStored) {
  int next = 0;
  expect_understood({"EVAL", "EVALSHA"}, [&](CacheManager& cache) {
    (void)cache.get_or_load("f:" + std::to_string(++next), [] { return 1; }, {.ttl = 60s});
  });
  EXPECT_EQ(server->command({"EXISTS", "dsta:f:" + std::to_string(next)}), "1");
}

TEST_P(EndedConnections, WithoutNamesScriptsAreSentWhole) {
  int next = 0;
  expect_understood({"EVALSHA"}, [&](CacheManager& cache) {
    (void)cache.get_or_load("f:" + std::to_string(++next), [] { return 1; }, {.ttl = 60s});
  });
}

TEST_P(EndedConnections, WithoutMultiCountersAreCounted) {
  expect_understood({"MULTI"}, [&](CacheManager& cache) { cache.increment("n", 1, {.ttl = 60s}); });
}

TEST_P(EndedConnections, WithoutRenameLargeValuesAreStored) {
  expect_understood({"RENAME"}, [](CacheManager& cache) { cache.set("l", std::string(1 << 20, 'l'), {.ttl = 60s}); });
  EXPECT_EQ(server->command({"EXISTS", "dsta:l"}), "1");
}

TEST_P(EndedConnections, WithoutRenameAndMultiLargeValuesAreStored) {
  const auto use = [](CacheManager& cache) { cache.set("l", std::string(1 << 20, 'l'), {.ttl = 60s}); };
  expect_understood({"RENAME", "MULTI"}, use);
  EXPECT_EQ(server->command({"EXISTS", "dsta:l"}), "1");
}

TEST_P(EndedConnections, WithoutGetrangeKeysAreRemoved) {
  expect_understood({"GETRANGE"}, [&](CacheManager& cache) { cache.del_many({"a", "b"}); });
}

TEST_P(EndedConnections, WithoutScanPatternsArePending) {
  expect_understood(
      {"SCAN"}, [&](CacheManager& cache) { cache.delete_pattern("other:*"); }, true);
}

}  // namespace
}  // namespace dsta::cache
