// A server that ends idle connections sooner than they are asked for a sign of life.
#include <gtest/gtest.h>

#include <thread>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

TEST(IdleTimeout, BelowThePingPeriodCostsOneLossOnly) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  const RedisServer server({.config = {"timeout 1"}});
  ManagerOptions options = over_redis(server.url(), true, 1s);
  options.l1.ping_period = 2500ms;
  CacheManager cache(std::move(options));
  const auto keeps = [&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; };
  ASSERT_TRUE(eventually(keeps));
  ASSERT_TRUE(eventually([&] { return cache.get_stats().l1_suspensions == 1; }));
  ASSERT_TRUE(eventually(keeps));
  std::this_thread::sleep_for(4s);  // the server's time, which no clock of ours moves
  EXPECT_EQ(cache.lookup<int>("k").source, Source::l1);
  EXPECT_EQ(cache.get_stats().l1_suspensions, 1u);
}

}  // namespace
}  // namespace dsta::cache
