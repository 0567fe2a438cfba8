// testing::ServerFault and testing::InlineExecutor: what a program's tests need to see of a cache that fails.
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

struct Fault : ::testing::Test, testing::CleanCache {
  std::atomic<int> calls{0};  // a warmer loads on several threads
  testing::ServerFault fault{cache};
};

TEST_F(Fault, WhileItIsOnEachCallRunsTheFunction) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api", .stale_for = 60s}, [this](int n) { return n * 100 + ++calls; });
  EXPECT_EQ(f(1), 101);
  EXPECT_EQ(f(1), 101);
  fault.on();
  EXPECT_EQ(f(1), 102);
  EXPECT_EQ(f(1), 103);
  EXPECT_EQ(f.refresh(1), 104);
  EXPECT_EQ(*f.shared(1), 105);
  EXPECT_EQ(f.many({1})[0], 106);
  EXPECT_FALSE(f.peek(1));
  EXPECT_FALSE(f.put(1, 5));
  EXPECT_FALSE(f.invalidate(1));
  fault.off();
  EXPECT_EQ(f(1), 107);
  EXPECT_EQ(f(1), 107);
}

TEST_F(Fault, WhatIsStoredWhileItComesOnIsNotFound) {
  int found = 0;
  for (int i = 0; i < 4'000; ++i) {
    std::thread storing([&] {
      cache.set("k", 1);
      cache.increment("n");
    });
    for (int spin = i % 200; spin > 0; --spin) std::this_thread::yield();
    fault.on();
    storing.join();
    found += cache.exists("k") + cache.get<int>("k").has_value() + cache.get<int>("n").has_value();
    fault.off();
  }
  EXPECT_EQ(found, 0);
}

TEST_F(Fault, WhileItIsOnManualCallsFindAndStoreNothing) {
  cache.set("k", 1);
  cache.increment("n");
  fault.on();
  EXPECT_FALSE(cache.get<int>("k"));
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_FALSE(cache.get_ttl("k"));
  const SetResult result = cache.set("k", 2);
  EXPECT_EQ(result, SetResult::not_stored);
  EXPECT_EQ(result.reason(), "a testing::ServerFault is active");
  EXPECT_FALSE(cache.increment("n"));
  EXPECT_FALSE(cache.del("k"));
  EXPECT_EQ(cache.get_or("k", 7), 7);
  EXPECT_EQ(cache.get_or_load("k", [] { return 8; }), 8);
  EXPECT_EQ(cache.get_or_load("k", [] { return 9; }), 9);
  EXPECT_EQ(cache.delete_pattern("*"), 0U);
  EXPECT_NO_THROW(cache.invalidate_tag("t"));
  EXPECT_NO_THROW(cache.flush_all());
  EXPECT_FALSE(check_health(cache).healthy);
  EXPECT_EQ(check_health(cache).error, "a testing::ServerFault is active");
  fault.off();
  EXPECT_FALSE(cache.exists("k")) << "what was there is gone";
  EXPECT_TRUE(cache.set("k", 3));
  EXPECT_EQ(cache.get<int>("k"), 3);
  EXPECT_TRUE(check_health(cache).healthy);
}

TEST_F(Fault, ALoadThatBeganBeforeIsNotStored) {
  std::latch begun(1), go(1);
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, [&](int n) {
    if (++calls == 1) begun.count_down(), go.wait();
    return n;
  });
  std::thread caller([&] { EXPECT_EQ(f(1), 1); });
  begun.wait();
  fault.on();
  fault.off();
  go.count_down();
  caller.join();
  EXPECT_FALSE(f.peek(1));
}

TEST_F(Fault, WarmingRunsTheLoadersAsInAnOutage) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, [this](const std::string&) { return ++calls; });
  CacheWarmer warmer(cache);
  warmer.add_market_data("api", f);
  fault.on();
  WarmReport report = warmer.warm_market_data({"BTC", "ETH"});
  EXPECT_EQ(report.warmed, 2U);
  EXPECT_EQ(report.skipped, 0U);
  EXPECT_EQ(calls, 2);
  fault.off();
  EXPECT_FALSE(f.peek("BTC"));
  EXPECT_EQ(warmer.warm_market_data({"BTC", "ETH"}).warmed, 2U);
  EXPECT_TRUE(f.peek("BTC"));
}

TEST(AClosedManager, SaysSoAndNamesNoTest) {
  auto cache = std::make_unique<CacheManager>();
  const auto core = cache->core();
  cache.reset();
  EXPECT_TRUE(core->closed());
  const auto outcome =
      core->put(detail::make_node<int>(detail::ManualKey("k", {}).view(), 1), core->resolve({}), {}, nullptr);
  EXPECT_EQ(outcome.why, "the manager is closed");
}

TEST_F(Fault, AnExceptionOfTheFunctionPassesThrough) {
  fault.on();
  auto f = cache.cached({}, [](int) -> int { throw std::runtime_error("down"); });
  EXPECT_THROW((void)f(1), std::runtime_error);
}

TEST(ServerFault, EndsWithItsScope) {
  testing::CleanCache clean;
  { testing::ServerFault(clean.cache).on(); }
  EXPECT_TRUE(clean.cache.set("k", 1));
}

TEST(ServerFault, IsNotForACacheWithAServer) {
  CacheManager cache("redis://127.0.0.1:1?connect_timeout=1ms");
  EXPECT_THROW(testing::ServerFault{cache}, ConfigError);
}

TEST(InlineExecutor, RunsARefreshOnTheSpot) {
  testing::CleanCache clean{{.executor = std::make_shared<testing::InlineExecutor>()}};
  int calls = 0;
  std::thread::id ran;
  auto f = clean.cache.cached({.ttl = 60s, .stale_for = 60s}, [&](int) {
    ran = std::this_thread::get_id();
    return ++calls;
  });
  EXPECT_EQ(f(1), 1);
  clean.clock->advance(60s);
  EXPECT_EQ(f(1), 1) << "stale";
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(ran, std::this_thread::get_id());
  EXPECT_EQ(f(1), 2);
}

}  // namespace
}  // namespace dsta::cache
