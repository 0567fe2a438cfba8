// limit_loads: how many loads of a prefix run at once, who waits, who is turned away.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hand_executor.hpp"
#include "on_threads.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::HandExecutor;

/// Counts who is inside, and keeps them there until told.
class Room {
 public:
  void stay() {
    std::unique_lock lock(mutex_);
    ++inside_;
    most_ = std::max(most_, inside_);
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    --inside_;
  }
  void await(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0, most_ = 0;
  bool open_ = false;
};

struct LoadLimits : ::testing::Test {
  std::shared_ptr<HandExecutor> background = std::make_shared<HandExecutor>();
  testing::CleanCache clean{{.executor = background}};
  CacheManager& cache = clean.cache;
  Room room;
  std::vector<std::jthread> threads;
};

TEST_F(LoadLimits, AColdStartRunsNoMoreLoadsThanAllowed) {
  cache.limit_loads("db", {.concurrent = 3});
  const auto f = cache.cached({.prefix = "db"}, [&](int i) { return room.stay(), i; });
  std::atomic<int> right = 0;
  for (int i = 0; i < 20; ++i) threads.emplace_back([&, i] { right += f(i) == i ? 1 : 0; });
  room.await(3);
  room.open();
  threads.clear();
  EXPECT_EQ(right, 20);
  EXPECT_EQ(room.most(), 3);
  EXPECT_EQ(f.cache_info().loads, 20u);
}

// Loads whose server is out of reach run one at a time for each key; who waits for one does not work.
TEST(LoadLimitsWithoutServer, ACallThatWaitsForAnotherLoadHoldsNoPlace) {
  CacheManager cache("redis://127.0.0.1:1?connect_timeout=1ms");
  cache.limit_loads("db", {.concurrent = 2});
  Room room;
  const auto f = cache.cached({.prefix = "db"}, [&](int i) {
    if (i == 1) room.stay();
    return i;
  });
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { f(1); });
  room.await(1);
  threads.emplace_back([&] { f(1); });
  std::vector<std::future<int>> others;
  for (int i = 2; i < 20 && !HasFailure(); ++i) {  // the second call begins to wait in the course of them
    others.push_back(std::async(std::launch::async, [&, i] { return f(i); }));
    EXPECT_EQ(others.back().wait_for(5s), std::future_status::ready) << i;
    std::this_thread::yield();
  }
  room.open();
}

TEST(LoadLimitsWithoutServer, ACallThatHasWaitedForAnotherLoadKeepsTheLimit) {
  CacheManager cache("redis://127.0.0.1:1?connect_timeout=1ms");
  cache.limit_loads("db", {.concurrent = 2});
  std::atomic<int> running = 0, most = 0;
  const auto f = cache.cached({.prefix = "db"}, [&](int i) {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(1ms);
    --running;
    return i;
  });
  testing_support::on_threads(12, [&](std::size_t thread) {
    for (std::size_t call = 0; call < 20; ++call) f(static_cast<int>((thread + call) % 3));
  });
  EXPECT_LE(most, 2);
}

TEST_F(LoadLimits, CallsBeyondTheQueueAreTurnedAwayAtOnceAndCounted) {
  cache.limit_loads("db", {.concurrent = 1, .queue = 0});
  const auto f = cache.cached({.prefix = "db"}, [&](int i) { return room.stay(), i; });
  threads.emplace_back([&] { EXPECT_EQ(f(1), 1); });
  room.await(1);
  EXPECT_THROW(f(2), OverloadError);
  EXPECT_EQ(cache.get_stats().shed, 1u);
  EXPECT_EQ(f.cache_info().loads, 1u);
  room.open();
  threads.clear();
  EXPECT_EQ(f(1), 1) << "hits need no place";
  EXPECT_EQ(f(2), 2) << "and afterwards there is room again";
}

TEST_F(LoadLimits, WhatMayBeServedStaleIsServedAndItsRefreshPutOff) {
  cache.limit_loads("db", {.concurrent = 1, .queue = 0});
  std::atomic<bool> stays = false;
  const auto f = cache.cached({.ttl = 60s, .prefix = "db", .stale_for = 60s}, [&](int i) {
    if (stays) room.stay();
    return i;
  });
  f(1);
  clean.clock->advance(70s);
  stays = true;
  threads.emplace_back([&] { EXPECT_EQ(f(2), 2); });
  room.await(1);
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(background->run(), 1u);
  EXPECT_EQ(f.cache_info().loads, 2u) << "the refresh was not begun";
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(background->waiting(), 1u) << "and the next call tries again";
  room.open();
  threads.clear();
  background->run();
  EXPECT_EQ(cache.get_ttl(f.key_for(1)), 60s);
}

TEST_F(LoadLimits, OtherPrefixesAreNotConcerned) {
  cache.limit_loads("db", {.concurrent = 1, .queue = 0});
  const auto db = cache.cached({.prefix = "db"}, [&](int i) { return room.stay(), i; });
  const auto api = cache.cached({.prefix = "api"}, [](int i) { return i; });
  threads.emplace_back([&] { db(1); });
  room.await(1);
  EXPECT_EQ(api(1), 1);
  EXPECT_EQ(api(2), 2);
  room.open();
}

TEST_F(LoadLimits, APrefixOfManualCallsIsLimitedHoweverManyThereAre) {
  for (int i = 0; i < 600; ++i) cache.set("k", i, {.prefix = "p" + std::to_string(i)});
  std::vector<std::string> prefixes = {"", "db", "p1", "p599", "(other)"};
  for (const std::string& prefix : prefixes) cache.limit_loads(prefix, {.concurrent = 1, .queue = 0});
  int there = 0;
  for (const std::string& prefix : prefixes) {
    const EntryOptions options{.prefix = prefix};
    threads.emplace_back([&, options] {
      cache.get_or_load(
          "first", [&] { return room.stay(), 1; }, options);
    });
    room.await(++there);
    try {
      cache.get_or_load(
          "second", [] { return 2; }, options);
      ADD_FAILURE() << "loads beyond the limit of '" << prefix << "'";
    } catch (const OverloadError& error) {
      EXPECT_NE(std::string(error.what()).find("prefix '" + prefix + "'"), std::string::npos) << error.what();
    }
  }
  cache.get_or_load("free", [] { return 3; }, {.prefix = "p598"});
  room.open();
}

TEST_F(LoadLimits, ALoadInsideALoadOfItsPrefixNeedsNoPlaceOfItsOwn) {
  cache.limit_loads("db", {.concurrent = 1, .queue = 0});
  std::function<int(int)> inner;
  const auto f = cache.cached({.prefix = "db"}, [&](int i) -> int { return i == 0 ? 0 : inner(i - 1) + 1; });
  inner = f;
  EXPECT_EQ(f(10), 10);
}

TEST_F(LoadLimits, ALoadThatWaitsForAnotherGivesItsPlaceBack) {
  cache.limit_loads("db", {.concurrent = 1});
  std::latch begun(1);
  std::function<int(int)> self;
  // 1 holds the only place and needs 2, which `other` leads and for which it needs a place.
  cache.core()->probe = [&](detail::Core::Point point, std::string_view key) {
    if (point == detail::Core::Point::before_wait && key == "db:2") room.open();
  };
  const auto f = cache.cached({.prefix = "db"}, [&](int i) -> int {
    if (i == 2) return 2;
    begun.count_down();
    room.stay();  // until somebody waits for 2: see below
    return self(2) + 1;
  });
  self = f;
  threads.emplace_back([&] { EXPECT_EQ(f(1), 3); });
  begun.wait();
  threads.emplace_back([&] { EXPECT_EQ(f(2), 2); });
  threads.emplace_back([&] { EXPECT_EQ(f(2), 2); });
  threads.clear();
}

TEST_F(LoadLimits, CircularUseOfTwoLimitedPrefixesEnds) {
  cache.limit_loads("a", {.concurrent = 1});
  cache.limit_loads("b", {.concurrent = 1});
  std::latch both(2);
  const auto leaf_a = cache.cached({.prefix = "a", .name = "leaf"}, [](int i) { return i; });
  const auto leaf_b = cache.cached({.prefix = "b", .name = "leaf"}, [](int i) { return i; });
  const auto root_a =
      cache.cached({.prefix = "a", .name = "root"}, [&](int i) { return both.arrive_and_wait(), leaf_b(i); });
  const auto root_b =
      cache.cached({.prefix = "b", .name = "root"}, [&](int i) { return both.arrive_and_wait(), leaf_a(i); });
  threads.emplace_back([&] { EXPECT_EQ(root_a(1), 1); });
  threads.emplace_back([&] { EXPECT_EQ(root_b(2), 2); });
  threads.clear();
}

TEST_F(LoadLimits, ABatchTakesOnePlace) {
  cache.limit_loads("db", {.concurrent = 1, .queue = 0});
  const auto f = cache.cached({.prefix = "db"}, [&](int i) { return room.stay(), i; })
                     .bulk_loader([](const std::vector<int>& wanted) { return wanted; });
  EXPECT_EQ(f.many({1, 2, 3})[2], 3);
  threads.emplace_back([&] { f(4); });
  room.await(1);
  const auto turned_away = f.many({1, 5, 6});
  EXPECT_EQ(turned_away[0], 1);
  EXPECT_THROW(turned_away[1].value(), OverloadError);
  EXPECT_THROW(turned_away[2].value(), OverloadError);
  room.open();
}

TEST_F(LoadLimits, RaisingTheLimitLetsTheWaitingIn) {
  cache.limit_loads("db", {.concurrent = 1});
  const auto f = cache.cached({.prefix = "db"}, [&](int i) { return room.stay(), i; });
  for (int i = 0; i < 4; ++i) threads.emplace_back([&, i] { f(i); });
  room.await(1);
  cache.limit_loads("db", {.concurrent = 4});
  room.await(4);
  room.open();
  threads.clear();
  EXPECT_EQ(room.most(), 4);
}

TEST_F(LoadLimits, WhoWaitsForAPlaceAtTheEndLoads) {
  auto manager = std::make_unique<CacheManager>();
  manager->limit_loads("db", {.concurrent = 1});
  const auto f = manager->cached({.prefix = "db"}, [&](int i) { return room.stay(), i; });
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&, i] { right += f(i) == i ? 1 : 0; });
  room.await(1);
  manager.reset();
  room.open();
  threads.clear();
  EXPECT_EQ(right, 4);
}

TEST_F(LoadLimits, ALimitOfZeroIsRefused) { EXPECT_THROW(cache.limit_loads("db", {.concurrent = 0}), ConfigError); }

}  // namespace
}  // namespace dsta::cache
