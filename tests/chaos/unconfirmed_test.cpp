// An invalidation that the server refuses: from the moment that its call returns nobody here is served what was there
// before, not even by who read it at the server while the call was on its way.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <dsta/cache/detail/core.hpp>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using detail::Core;

struct Unconfirmed : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server = std::make_unique<RedisServer>();
    proxy = std::make_unique<FaultProxy>(server->port());
    cache = CacheManager(over_redis(proxy->url(), GetParam(), 2s));
  }
  void expect_gone_after(const std::function<void()>& invalidate) {
    ASSERT_TRUE(cache.set("k", "old", {.ttl = 60s, .tags = {"t"}}));
    bool read_meanwhile = false;
    cache.core()->probe = [&](Core::Point point, std::string_view) {
      if (point != Core::Point::unconfirmed) return;
      proxy->clear();
      std::jthread([&] { read_meanwhile = eventually([&] { return cache.get("k") == "old"; }, 1s); }).join();
    };
    proxy->set(Fault::error_reply("LOADING Redis is loading the dataset in memory"));
    invalidate();
    cache.core()->probe = {};
    EXPECT_FALSE(cache.get("k")) << (read_meanwhile ? "it was read meanwhile" : "");
    EXPECT_FALSE(cache.exists("k"));
    EXPECT_TRUE(eventually([&] { return cache.get_stats().pending_invalidations == 0; }));
    EXPECT_FALSE(cache.get("k"));
  }
  std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
  CacheManager cache;
};
INSTANTIATE_TEST_SUITE_P(On, Unconfirmed, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(Unconfirmed, RemovalOfAKey) {
  expect_gone_after([&] { cache.del("k"); });
}
TEST_P(Unconfirmed, RemovalOfAKeyAmongMany) {
  expect_gone_after([&] { cache.del_many({"k", "other", "k"}); });
}
TEST_P(Unconfirmed, RemovalByPattern) {
  expect_gone_after([&] { cache.delete_pattern("k*"); });
}
TEST_P(Unconfirmed, RemovalByTheFirstArgumentsOfAFunction) {
  const auto f = cache.cached({.prefix = "k"}, [](int i) { return i; });
  expect_gone_after([&] { f.invalidate_matching(); });
}
TEST_P(Unconfirmed, InvalidationOfATag) {
  expect_gone_after([&] { cache.invalidate_tag("t"); });
}
TEST_P(Unconfirmed, InvalidationOfEverything) {
  expect_gone_after([&] { cache.flush_all(); });
}

}  // namespace
}  // namespace dsta::cache
