// Loaders that ask the cache: their own key is refused, every other key works.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <thread>
#include <utility>
#include <vector>

#include "base/background.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Core;

using Function = std::function<int(int)>;

struct NestedLoad : ::testing::Test, testing::CleanCache {
  /// A cached function that is set after it was wrapped, so that it can call itself or others.
  auto late(const std::string& prefix, Function& body, EntryOptions options = {}) {
    options.prefix = prefix;
    return cache.cached(options, Function([&body](int n) { return body(n); }));
  }
};

TEST_F(NestedLoad, ALoaderThatAsksForItsOwnKeyIsToldSo) {
  Function body;
  const auto f = late("self", body);
  body = [&](int n) { return f(n); };
  EXPECT_THROW(f(1), RecursiveLoadError);
  EXPECT_FALSE(f.peek(1));
  body = [](int n) { return n; };
  EXPECT_EQ(f(1), 1) << "the key must be usable again";
}

TEST_F(NestedLoad, AskingForItsOwnKeyThroughAnotherIsAnError) {
  Function body_a, body_b;
  const auto a = late("a", body_a), b = late("b", body_b);
  body_a = [&](int n) { return b(n); };
  body_b = [&](int n) { return a(n); };
  EXPECT_THROW(a(1), RecursiveLoadError);
  EXPECT_FALSE(a.peek(1));
  EXPECT_FALSE(b.peek(1));
}

TEST_F(NestedLoad, GetOrLoadOfItsOwnKeyIsToldSo) {
  std::function<int()> load = [&] { return cache.get_or_load("k", load); };
  EXPECT_THROW(cache.get_or_load("k", load), RecursiveLoadError);
}

TEST_F(NestedLoad, ALoaderMayPutAndReadItsOwnKeyByHand) {
  const auto f = cache.cached({.prefix = "own"}, [&](int n) {
    cache.set("own:" + std::to_string(n), 10);
    return cache.get<int>("own:" + std::to_string(n)).value_or(0) + 1;
  });
  EXPECT_EQ(f(1), 11);
}

TEST_F(NestedLoad, TwoThatWaitForEachOtherDoNotDeadlock) {
  for (int round = 0; round < 50; ++round) {
    std::latch both(2);
    Function body;
    const auto f = late("pair", body);
    body = [&](int n) {  // 1 asks for 2 and 2 for 1, once both are under way
      both.arrive_and_wait();
      return f(3 - n);
    };
    std::atomic<int> refused{0};
    const auto call = [&](int n) {
      try {
        f(n);
      } catch (const RecursiveLoadError&) {
        ++refused;
      }
    };
    {
      std::jthread one([&] { call(1); }), two([&] { call(2); });
    }
    EXPECT_EQ(refused, 2) << "one gets the error, and it is what the other waited for";
    EXPECT_FALSE(f.peek(1) || f.peek(2));
  }
}

TEST_F(NestedLoad, ARingOfThreeThreadsDoesNotDeadlock) {
  std::latch all(3);
  Function body;
  const auto f = late("ring", body);
  body = [&](int n) {
    all.arrive_and_wait();
    return f((n + 1) % 3);
  };
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> threads;
    for (int n = 0; n < 3; ++n) {
      threads.emplace_back([&, n] {
        try {
          f(n);
        } catch (const RecursiveLoadError&) {
          ++refused;
        }
      });
    }
  }
  EXPECT_EQ(refused, 3);
}

TEST_F(NestedLoad, LoadsOfOtherKeysNestFiftyDeep) {
  Function body;
  const auto f = late("deep", body);
  body = [&](int n) { return n == 0 ? 0 : f(n - 1) + 1; };
  EXPECT_EQ(f(50), 50);
  EXPECT_EQ(f.cache_info().loads, 51u);
  EXPECT_EQ(f(49), 49);
  EXPECT_EQ(f.cache_info().loads, 51u);
}

TEST_F(NestedLoad, WaitingForAnotherThreadsLoadIsNoRecursion) {
  std::latch inner_begun(1), outer_waits(1);
  const auto inner = cache.cached({.prefix = "inner"}, [&](int n) {
    inner_begun.count_down();
    outer_waits.wait();
    return n;
  });
  const auto outer = cache.cached({.prefix = "outer"}, [&](int n) { return inner(n) + 1; });
  cache.core()->probe = [&](Core::Point point, std::string_view) {
    if (point == Core::Point::before_wait) outer_waits.count_down();
  };
  std::jthread first([&] { EXPECT_EQ(inner(1), 1); });
  inner_begun.wait();
  EXPECT_EQ(outer(1), 2);
}

struct NestedLoadWithTimeout : ::testing::Test {
  /// One background thread: a load that waits there for another background load waits for itself.
  testing::CleanCache clean{{.executor = thread_pool(1)}};
  CacheManager& cache = clean.cache;
};

TEST_F(NestedLoadWithTimeout, TheOnlyBackgroundThreadLoadsOtherKeys) {
  const auto inner = cache.cached({.prefix = "inner", .load_timeout = 1h}, [](int n) { return n; });
  const auto outer = cache.cached({.prefix = "outer", .load_timeout = 1h}, [&](int n) { return inner(n) + 1; });
  EXPECT_EQ(outer(1), 2);
}

TEST_F(NestedLoadWithTimeout, OnTheOnlyThreadRunsTheLoadBehindIt) {
  std::latch outer_begun(1), inner_queued(1);
  const auto inner = cache.cached({.prefix = "inner", .load_timeout = 1h}, [](int n) { return n; });
  const auto outer = cache.cached({.prefix = "outer", .load_timeout = 1h}, [&](int n) {
    outer_begun.count_down();
    inner_queued.wait();
    return inner(n) + 1;
  });
  cache.core()->probe = [&](Core::Point point, std::string_view key) {
    if (point == Core::Point::before_wait && key == "inner:1") inner_queued.count_down();
  };
  std::jthread first([&] { EXPECT_EQ(outer(1), 2); });
  outer_begun.wait();
  EXPECT_EQ(inner(1), 1);  // queued behind outer, which asks for it
}

/// No timeouts at all: two refreshes of stale values, of which the running one comes to need the queued one.
TEST_F(NestedLoadWithTimeout, ARefreshRunsTheRefreshQueuedBehindIt) {
  std::latch refreshing(1), expired(1);
  bool first = true;
  const auto inner = cache.cached({.ttl = 10s, .prefix = "inner", .stale_for = 10s}, [](int n) { return n; });
  const auto outer = cache.cached({.ttl = 10s, .prefix = "outer", .stale_for = 10s}, [&](int n) {
    if (!std::exchange(first, false)) {
      refreshing.count_down();
      expired.wait();
    }
    return inner(n) + 1;
  });
  EXPECT_EQ(outer(1), 2);
  clean.clock->advance(15s);
  EXPECT_EQ(outer(1), 2);  // stale: refreshed behind
  refreshing.wait();
  EXPECT_EQ(inner(1), 1);  // stale: its refresh waits behind outer's
  clean.clock->advance(10s);
  expired.count_down();
  EXPECT_EQ(outer(1), 2);
}

TEST_F(NestedLoad, WhoWouldWaitInACircleGetsTheStaleValue) {
  std::latch outer_runs(1), inner_waits(1);
  cache.core()->probe = [&](Core::Point point, std::string_view key) {
    if (point == Core::Point::before_wait && key == "outer:1") inner_waits.count_down();
  };
  bool circle = false;
  std::function<int(int)> call_inner, call_outer;
  const auto inner = cache.cached({.ttl = 60s, .prefix = "inner", .stale_for = 1h, .soft_timeout = 1h}, [&](int i) {
    if (!circle) return 7;
    outer_runs.wait();
    return call_outer(i);
  });
  const auto outer = cache.cached({.prefix = "outer"}, [&](int i) {
    outer_runs.count_down();
    inner_waits.wait();
    return call_inner(i);
  });
  call_inner = [&](int i) { return inner(i); };
  call_outer = [&](int i) { return outer(i); };
  inner(1);
  clock->advance(61s);
  circle = true;
  std::jthread refresher([&] {
    try {
      EXPECT_EQ(inner.refresh(1), 7) << "what outer made of the stale value";
    } catch (const RecursiveLoadError&) {  // it may be this side that closes the circle
    }
  });
  EXPECT_EQ(outer(1), 7);
}

TEST_F(NestedLoad, ABackgroundTaskRunsTheLoadAboutToBeQueuedBehindIt) {
  testing::CleanCache one_thread({.executor = thread_pool(1, 8)});
  const auto f = one_thread.cache.cached({.prefix = "p", .load_timeout = 1h}, [](int n) { return n; });
  std::latch waits(1), done(1);
  bool once = false;
  one_thread.cache.core()->probe = [&](Core::Point point, std::string_view) {
    if (point == Core::Point::before_wait && detail::Background::on_task()) waits.count_down();
    if (point != Core::Point::before_queue || std::exchange(once, true)) return;
    one_thread.cache.core()->post([&] {
      EXPECT_EQ(f(1), 1);
      done.count_down();
    });
    waits.wait();  // the load is queued when the only thread waits for it already
  };
  EXPECT_EQ(f(1), 1);
  done.wait();
}

}  // namespace
}  // namespace dsta::cache
