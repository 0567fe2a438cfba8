// A server that answers reads and lets writes wait, as in a failover, costs a few deadlines and then nothing.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct PausedWrites : ProxiedServer, ::testing::WithParamInterface<bool> {
  void TearDown() override {
    if (server) server->command({"CLIENT", "UNPAUSE"});
  }
  static constexpr std::chrono::milliseconds kDeadline{300};
};
INSTANTIATE_TEST_SUITE_P(Over, PausedWrites, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(PausedWrites, HoldUpAFewCallsAndNoHit) {
  CacheManager cache(over_redis(server->url(), GetParam(), kDeadline));
  int next = 1;
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, std::function<int(int)>([](int x) { return 10 * x; }));
  ASSERT_EQ(f(0), 0);
  server->command({"CLIENT", "PAUSE", "60000", "WRITE"});

  const auto slow_calls = [&](int calls) {
    int slow = 0;
    for (int i = 0; i < calls; ++i, ++next) {
      const auto begun = std::chrono::steady_clock::now();
      EXPECT_EQ(f(next), 10 * next);
      if (std::chrono::steady_clock::now() - begun > kDeadline / 3) ++slow;
      EXPECT_EQ(f(0), 0);
    }
    return slow;
  };
  EXPECT_LE(slow_calls(100), 4);
  EXPECT_EQ(slow_calls(100), 0);
  // Hits of L2 alone, for longer than the channel takes to try again.
  int slow_hits = 0;
  for (const auto end = std::chrono::steady_clock::now() + 2s; std::chrono::steady_clock::now() < end;) {
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_TRUE(cache.exists("f:0", {.level = Level::l2}));
    if (std::chrono::steady_clock::now() - begun > kDeadline / 2) ++slow_hits;
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_EQ(slow_hits, 0);
  EXPECT_TRUE(cache.exists("f:0", {.level = Level::l2}));
  EXPECT_FALSE(cache.set("k", 1));
  EXPECT_FALSE(cache.del("k"));
  EXPECT_GT(cache.get_stats().pending_invalidations, 0u);

  server->command({"CLIENT", "UNPAUSE"});
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 2)); }));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().pending_invalidations == 0; }));
  ASSERT_EQ(f(next), 10 * next);
  EXPECT_TRUE(cache.exists("f:" + std::to_string(next), {.level = Level::l2}));
}

TEST_P(PausedWrites, KeepL1FromNobodyWhoOnlyReadsAfterwards) {
  if (!GetParam()) GTEST_SKIP() << "there is no in-process level";
  CacheManager cache(over_redis(server->url(), true, kDeadline));
  ASSERT_TRUE(l1_is_up(cache));
  server->command({"CLIENT", "PAUSE", "60000", "WRITE"});
  const auto is_used = [&] { return cache.lookup<int>("warm").source == Source::l1; };
  ASSERT_TRUE(eventually([&] { return cache.set("k", 1), !is_used(); }, 30s)) << "the channel waits, too";
  for (int i = 0; i < 5; ++i) cache.set("k", 1);
  server->command({"CLIENT", "UNPAUSE"});
  EXPECT_TRUE(eventually(is_used));
}

TEST_P(PausedWrites, AreNoticedByLargeValuesToo) {
  CacheManager cache(over_redis(server->url(), GetParam(), kDeadline));
  const std::string large(300'000, 'x');
  ASSERT_TRUE(cache.set("k", large));
  ASSERT_TRUE(cache.set("small", 1));
  server->command({"CLIENT", "PAUSE", "60000", "WRITE"});
  const auto waits = [&] {
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_FALSE(cache.set("k", large));
    return std::chrono::steady_clock::now() - begun > kDeadline / 3;
  };
  int waited = 0;
  while (waited < 10 && waits()) ++waited;
  EXPECT_LT(waited, 10);
}

}  // namespace
}  // namespace dsta::cache
