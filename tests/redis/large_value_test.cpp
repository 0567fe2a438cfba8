// Large values on the connection that all callers share.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "on_threads.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "scale.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using SteadyClock = std::chrono::steady_clock;

const EntryOptions kThere{.ttl = 600s, .level = Level::l2};
constexpr std::size_t kMB = std::size_t{1} << 20;

struct LargeValues : ProxiedServer {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (!server) return;
    CacheManager writer(over_redis(server->url(), false, 20s));
    ASSERT_TRUE(writer.set("big", std::string(8 * kMB, 'b'), kThere));
    ASSERT_TRUE(writer.set("small", 1, kThere));
  }
};

TEST_F(LargeValues, PastADeadlineKeepTheConnectionAndL1) {
  ManagerOptions options = over_redis(proxy->url(), true, 300ms);
  options.l1.ping_period = 1s;  // long enough for a busy machine, and shorter than the value takes
  CacheManager cache(std::move(options));
  ASSERT_TRUE(eventually([&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; }));
  const std::uint64_t made = connections_made(*server);
  proxy->set(Fault::drip(128 << 10, 20ms).on("MGET"));  // 8 MB in 1.3 s
  std::atomic<bool> over = false;
  std::thread small([&] {
    while (!over) {
      const auto begun = SteadyClock::now();
      (void)cache.get<int>("small", kThere);
      EXPECT_LT(SteadyClock::now() - begun, 300ms + 150ms);
    }
  });
  const auto begun = SteadyClock::now();
  EXPECT_FALSE(cache.get("big", kThere));
  EXPECT_LT(SteadyClock::now() - begun, 300ms + 150ms);
  EXPECT_EQ(cache.lookup<int>("k").source, Source::l1);
  EXPECT_TRUE(eventually([&] { return cache.get<int>("small", kThere) == 1; }, 5s));
  over = true;
  small.join();
  EXPECT_EQ(connections_made(*server), made + 1);
  EXPECT_EQ(cache.get_stats().l1_suspensions, 0u);
}

TEST_F(LargeValues, ThatDoNotEndEndTheConnectionAfterAWhile) {
  CacheManager cache(over_redis(proxy->url(), false, 300ms));
  ASSERT_EQ(cache.get<int>("small", kThere), 1);
  const std::uint64_t made = connections_made(*server);
  proxy->set(Fault::drip(70 << 10, 50ms).on("MGET"));  // 8 MB in 6 s
  const auto begun = SteadyClock::now();
  EXPECT_FALSE(cache.get("big", kThere));
  EXPECT_TRUE(eventually([&] { return cache.get<int>("small", kThere) == 1; }, 5s));
  EXPECT_LT(SteadyClock::now() - begun, 4s);
  EXPECT_GT(connections_made(*server), made + 1);
}

TEST_F(LargeValues, AreWrittenWithinTheDeadlineOrNot) {
  CacheManager cache(over_redis(server->url(), false, 1s));
  ASSERT_TRUE(cache.set("k", 1));
  const std::string value(30 * kMB, 'v');
  server->pause();
  const auto begun = SteadyClock::now();
  const SetResult result = cache.set("huge", value, kThere);
  const auto took = SteadyClock::now() - begun;
  server->resume();
  EXPECT_FALSE(result);
  EXPECT_LT(took, kSanitized ? 5s : 1800ms) << "the deadline, and copying and summing up 30 MB";
}

TEST_F(LargeValues, OfWhichThereIsNoTimeLeftToWriteMoreAreNotStored) {
  CacheManager cache(over_redis(server->url(), false, 40ms));
  (void)cache.get<int>("small", kThere);
  std::vector<std::pair<std::string, std::string>> items;
  for (int i = 0; i < 8; ++i) items.emplace_back(std::to_string(i), std::string(16 * kMB, 'v'));
  std::vector<std::pair<std::string_view, std::string>> views;
  for (const auto& [key, value] : items) views.emplace_back(key, value);
  for (const SetResult result : cache.set_many<std::string>(items, kThere)) {
    EXPECT_FALSE(result);
    EXPECT_FALSE(result.reason().empty());
  }
}

TEST_F(LargeValues, EachOfWhichMayBeReadAreReadTogether) {
  ManagerOptions options = over_redis(server->url(), false, 5s);
  options.pool.max_reply_bytes = kMB;
  CacheManager cache(std::move(options));
  std::vector<std::string> keys;
  for (int i = 0; i < 12; ++i) {
    keys.push_back("k" + std::to_string(i));
    ASSERT_TRUE(cache.set(keys.back(), std::string(kMB / 10, 'v')));
  }
  const std::uint64_t made = connections_made(*server);
  EXPECT_EQ(cache.get_many(keys).size(), keys.size());
  EXPECT_EQ(cache.delete_pattern("k*"), keys.size());
  EXPECT_EQ(connections_made(*server), made + 1);
}

TEST_F(LargeValues, ThatCouldNotBeReadAreNotStoredAndEndNothing) {
  ManagerOptions options = over_redis(server->url(), false, 5s);
  options.pool.max_reply_bytes = kMB;
  CacheManager cache(std::move(options));
  ASSERT_TRUE(cache.set("k", 1));
  const std::uint64_t made = connections_made(*server);
  for (const bool raw : {false, true}) {
    const SetResult result = cache.set("large", std::string(kMB + 1, 'v'), {.ttl = 60s, .raw = raw});
    EXPECT_EQ(result, SetResult::not_stored);
    EXPECT_NE(result.reason().find("max_reply_bytes"), std::string_view::npos) << result.reason();
  }
  EXPECT_EQ(cache.get<int>("k"), 1);
  EXPECT_EQ(connections_made(*server), made + 1);
}

TEST_F(LargeValues, ThatAreRefusedLeaveNoOlderValue) {
  for (const bool l1 : {false, true}) {
    for (const bool raw : {false, true}) {
      ManagerOptions options = over_redis(server->url(), l1, 5s);
      options.pool.max_reply_bytes = kMB;
      CacheManager cache(std::move(options));
      const EntryOptions given{.ttl = 60s, .raw = raw};
      ASSERT_TRUE(cache.set("k", std::string("older"), given));
      EXPECT_FALSE(cache.set("k", std::string(kMB + 1, 'v'), given));
      EXPECT_FALSE(cache.get("k", given));
      ASSERT_TRUE(cache.set("k", std::string("older"), given));
      const auto both = cache.set_many<std::string>({{"k", std::string(kMB + 1, 'v')}, {"n", "newer"}}, given);
      EXPECT_FALSE(both[0]);
      EXPECT_TRUE(both[1]);
      EXPECT_FALSE(cache.get("k", given));
      EXPECT_EQ(cache.get("n", given), "newer");
    }
  }
}

TEST_F(LargeValues, AndSmallOnesOfManyThreadsComeBackUnchanged) {
  CacheManager cache(over_redis(server->url(), false, 20s));
  const auto value = [](std::size_t size, std::size_t seed) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + seed) >> 3);
    return text;
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      constexpr std::size_t kSizes[] = {10, 16'000, 17'000, 255'000, 263'000, kMB + 1, 3 * kMB};
      for (std::size_t round = 0; round < scaled(20); ++round) {
        const std::string key = std::to_string(t);
        const std::string written = value(kSizes[(round + t) % std::size(kSizes)], round * 8 + t);
        ASSERT_TRUE(cache.set(key, written, kThere));
        ASSERT_EQ(cache.get(key, kThere), written) << t << " " << round;
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(LargeValues, WhoLeavesNeverGetsNorLeavesAnothersReply) {
  CacheManager writer(over_redis(server->url(), false, 20s));
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(writer.set("n" + std::to_string(i), i, kThere));
  CacheManager cache(over_redis(proxy->url(), false, 60ms));
  proxy->schedule(7, {{Fault::pass(), 9}, {Fault::drip(96 << 10, 5ms).on("MGET"), 1}});  // 8 MB in 0.4 s
  std::atomic<std::size_t> got = 0;
  const auto end = SteadyClock::now() + (kSanitized ? 3s : 2s);
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; SteadyClock::now() < end; ++i) {
        const auto begun = SteadyClock::now();
        if (i % 40 == 0) {
          const auto big = cache.get("big", kThere);
          if (big) {
            EXPECT_EQ(*big, std::string(8 * kMB, 'b'));
          }
        } else {
          const auto value = cache.get<int>("n" + std::to_string(i % 16), kThere);
          if (value) {
            EXPECT_EQ(*value, i % 16);
          }
          got += value ? 1 : 0;
        }
        EXPECT_LT(SteadyClock::now() - begun, kSanitized ? 2s : 500ms);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(got, 0u);
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return cache.get<int>("small", kThere) == 1; }));
}

}  // namespace
}  // namespace dsta::cache
