// Patterns over many keys: as long as the server keeps up they take the time that they need; when it does not, the
// caller gets away by his deadline, and the rest is done behind his back.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr std::size_t kKeys = 20'000;

struct Sweep : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server = std::make_unique<RedisServer>();
    proxy = std::make_unique<FaultProxy>(server->port());
    cache = CacheManager(over_redis(proxy->url(), GetParam(), 200ms));
    // By another manager, past the proxy: nothing of it is in this one's memory.
    CacheManager filler(over_redis(server->url(), false, 10s));
    for (std::size_t from = 0; from < kKeys; from += 1000) {
      std::vector<std::pair<std::string, int>> some;
      for (std::size_t i = from; i < from + 1000; ++i) some.emplace_back("k:" + std::to_string(i), 1);
      for (const SetResult stored : filler.set_many<int>(some)) ASSERT_TRUE(stored);
    }
    ASSERT_TRUE(filler.set("other", 1));
  }
  std::size_t left() const {
    return std::stoul(server->command({"EVAL", "return #redis.call('KEYS', 'dsta:k:*')", "0"}));
  }
  std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
  CacheManager cache;
};
INSTANTIATE_TEST_SUITE_P(On, Sweep, ::testing::Bool(), [](const auto& tested) { return levels_name(tested.param); });

TEST_P(Sweep, GoesOnBeyondTheDeadlineWhileTheServerKeepsUp) {
  // Some 40 parts of 90 ms and more: together beyond the deadline, each well within a quarter of it, also on a machine
  // that has much else to do.
  cache = CacheManager(over_redis(proxy->url(), GetParam(), 3s));
  proxy->set(Fault::delay(90ms).on("SCAN"));
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(cache.delete_pattern("k:*"), kKeys);
  EXPECT_GT(std::chrono::steady_clock::now() - begun, 3s) << "nothing is shown by a sweep within the deadline";
  EXPECT_EQ(left(), 0U);
  EXPECT_TRUE(cache.exists("other"));
}

TEST_P(Sweep, EndsByTheDeadlineAndTheRestIsDoneLater) {
  proxy->set(Fault::delay(60ms));
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_LT(cache.delete_pattern("k:*"), kKeys);
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_LT(took, 2s) << "all of it takes minutes";
  EXPECT_EQ(cache.get_stats().pending_invalidations, 1U);
  EXPECT_FALSE(cache.exists("k:1")) << "it counts as removed all the same";
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return cache.get_stats().pending_invalidations == 0; }, 20s));
  EXPECT_EQ(left(), 0U);
  EXPECT_TRUE(cache.exists("other"));
}

TEST_P(Sweep, OfEverythingEndsByTheDeadlineAndNothingIsRead) {
  proxy->set(Fault::delay(60ms));
  const auto begun = std::chrono::steady_clock::now();
  cache.flush_all();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return !cache.exists("k:1") && !cache.exists("other"); }));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().pending_invalidations == 0; }, 20s));
  EXPECT_EQ(left(), 0U);
}

}  // namespace
}  // namespace dsta::cache
