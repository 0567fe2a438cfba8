// One load per key, however many ask: who runs it, who gets what it brings, and what becomes of its errors.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <functional>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include "hand_executor.hpp"
#include "on_threads.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Core;
using testing_support::on_threads;
using testing_support::scaled;

struct ExchangeDown : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct SingleFlight : ::testing::Test, testing::CleanCache {
  /// From now on `loading` opens when `callers` callers but the leader are about to wait for a load.
  void count_waiters(std::ptrdiff_t callers) {
    waiting = std::make_unique<std::latch>(callers);
    cache.core()->probe = [this](Core::Point point, std::string_view) {
      if (point == Core::Point::before_wait) waiting->count_down();
    };
  }
  std::unique_ptr<std::latch> waiting;
};

TEST_F(SingleFlight, SixtyFourCallersOfAColdKeyShareOneLoad) {
  count_waiters(63);
  std::atomic<int> loads{0};
  const auto f = cache.cached({.prefix = "once"}, [&](int n) {
    waiting->wait();
    return ++loads, "value " + std::to_string(n);
  });
  std::vector<std::string> values(64);
  on_threads(64, [&](std::size_t i) { values[i] = f(7); });
  EXPECT_EQ(loads, 1);
  for (const auto& value : values) EXPECT_EQ(value, "value 7");
  EXPECT_EQ(f.cache_info().coalesced, 63u);
  EXPECT_EQ(f.cache_info().loads, 1u);
}

TEST_F(SingleFlight, WaitersGetTheLeadersObjectItself) {
  count_waiters(7);
  const auto f = cache.cached({.prefix = "shared"}, [&](int) { return waiting->wait(), std::string(1000, 'x'); });
  std::vector<std::shared_ptr<const std::string>> values(8);
  on_threads(8, [&](std::size_t i) { values[i] = f.shared(1); });
  for (const auto& value : values) EXPECT_EQ(value.get(), values[0].get());
}

TEST_F(SingleFlight, ACallerThatHasToWaitTwiceIsCountedOnce) {
  std::latch first_loads(1), both_wait(2), again(3);
  std::atomic<int> loads{0}, waits{0};
  cache.core()->probe = [&](Core::Point point, std::string_view) {
    if (point == Core::Point::before_wait) ++waits < 3 ? both_wait.count_down() : again.count_down();
    if (point == Core::Point::before_load && loads == 1) again.count_down(2);  // the caller that leads now
  };
  const auto f = cache
                     .cached({.ttl = 60s, .prefix = "named"},
                             [&](int n) {
                               if (++loads == 1) {
                                 first_loads.count_down();
                                 both_wait.wait();
                               } else {
                                 again.wait();
                               }
                               return n;
                             })
                     .adaptive_tags([](int) { return std::vector<std::string>{"t"}; });
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { f(1); });
  first_loads.wait();
  cache.invalidate_tag("t");  // only the value says that it has this tag, so callers join the load
  for (int i = 0; i < 2; ++i) threads.emplace_back([&] { f(1); });
  threads.clear();
  EXPECT_EQ(loads, 2);
  EXPECT_EQ(waits, 3);
  EXPECT_EQ(f.cache_info().coalesced, 2u);
  EXPECT_EQ(f.cache_info().misses, 3u);
}

TEST_F(SingleFlight, AnErrorGoesToEveryWaiterAndTheNextCallLoads) {
  count_waiters(63);
  std::atomic<int> loads{0};
  const auto f = cache.cached({.prefix = "down"}, [&](int n) -> int {
    if (++loads > 1) return n;
    waiting->wait();
    throw ExchangeDown("exchange " + std::to_string(n) + " is down");
  });
  std::atomic<int> received{0};
  on_threads(64, [&](std::size_t) {
    try {
      f(5);
    } catch (const ExchangeDown& e) {
      received += std::string_view(e.what()) == "exchange 5 is down" ? 1 : 0;
    }
  });
  EXPECT_EQ(received, 64);
  EXPECT_EQ(loads, 1);
  EXPECT_FALSE(f.peek(5));
  EXPECT_EQ(cache.get_stats().entries, 0u);
  EXPECT_EQ(f(5), 5);
  EXPECT_EQ(loads, 2);
  EXPECT_EQ(f.cache_info().load_failures, 1u);
}

TEST_F(SingleFlight, SixtyFourThreadsOverAThrowingSourceGetItsErrors) {
  const int keys = static_cast<int>(scaled(10'000));
  std::atomic<std::uint64_t> loads{0}, received{0};
  const auto f = cache.cached({.prefix = "throws"}, [&](int n) -> std::string {
    ++loads;
    throw ExchangeDown("no data for " + std::to_string(n));
  });
  std::barrier together(64);
  on_threads(64, [&](std::size_t) {
    together.arrive_and_wait();
    for (int n = 0; n < keys; ++n) {
      try {
        f(n);
        ADD_FAILURE() << "a value out of nowhere";
      } catch (const ExchangeDown& e) {
        if (e.what() == "no data for " + std::to_string(n)) ++received;
      }
    }
  });
  EXPECT_EQ(received, 64u * static_cast<unsigned>(keys));
  EXPECT_EQ(loads, f.cache_info().load_failures);
  EXPECT_EQ(loads + f.cache_info().coalesced, received);
  EXPECT_EQ(cache.get_stats().entries, 0u);
}

TEST_F(SingleFlight, ExceptionsNotFromStdReachTheCallerToo) {
  const auto f = cache.cached({.prefix = "odd"}, [](int n) -> int { throw n; });
  EXPECT_THROW(f(1), int);
  EXPECT_FALSE(f.peek(1));
}

TEST_F(SingleFlight, EqualKeysOfTwoManagersAreLoadedByEach) {
  CacheManager other;
  std::latch both(2);  // neither load ends before the other has begun
  const auto load = [&](int n) { return both.arrive_and_wait(), n; };
  const auto here = cache.cached({.prefix = "same"}, load);
  const auto there = other.cached({.prefix = "same"}, load);
  on_threads(2, [&](std::size_t i) { EXPECT_EQ(i == 0 ? here(1) : there(1), 1); });
  EXPECT_EQ(here.cache_info().loads, 1u);
  EXPECT_EQ(there.cache_info().loads, 1u);
}

TEST_F(SingleFlight, GetOrLoadRunsOneLoadForAllItsCallers) {
  count_waiters(15);
  std::atomic<int> loads{0};
  on_threads(16, [&](std::size_t) {
    EXPECT_EQ(cache.get_or_load("k", [&] { return waiting->wait(), ++loads, std::string("v"); }), "v");
  });
  EXPECT_EQ(loads, 1);
}

/// Everything that makes a value under way too old to be kept or handed to newcomers.
using Invalidate = std::function<void(CacheManager&)>;
struct FencedFlight : ::testing::TestWithParam<Invalidate>, testing::CleanCache {};

TEST_P(FencedFlight, IsNeitherJoinedNorStoredAfterAnInvalidation) {
  std::latch begun(1), invalidated(1);
  std::atomic<int> loads{0};
  const auto f = cache.cached({.prefix = "fence", .tags = {"tag:{0}"}}, [&](int) {
    const int load = ++loads;
    if (load == 1) begun.count_down(), invalidated.wait();
    return load;
  });
  std::jthread older([&] { EXPECT_EQ(f(1), 1); });
  begun.wait();
  GetParam()(cache);
  EXPECT_EQ(f(1), 2);  // would wait for ever if it joined
  invalidated.count_down();
  older.join();
  EXPECT_EQ(f.peek(1), 2) << "the older load's value replaced the newer one's";
  EXPECT_EQ(f.cache_info().fenced, 1u);
}

INSTANTIATE_TEST_SUITE_P(By, FencedFlight,
                         ::testing::Values([](CacheManager& cache) { cache.del("fence:1"); },
                                           [](CacheManager& cache) { cache.invalidate_tag("tag:1"); },
                                           [](CacheManager& cache) { cache.invalidate_tag("tag:1", TagMode::expire); },
                                           [](CacheManager& cache) { cache.delete_pattern("f?nce:*"); },
                                           [](CacheManager& cache) { cache.flush_all(); },
                                           [](CacheManager& cache) { cache.set("fence:1", 0), cache.del("fence:1"); }));

TEST(SingleFlightAfterClose, AWrapperCallsTheFunction) {
  std::atomic<int> loads{0};
  auto f = [&] {
    CacheManager gone;
    auto wrapper = gone.cached({.ttl = 60s, .prefix = "late"}, [&](int n) { return ++loads, n * 2; });
    EXPECT_EQ(wrapper(4), 8);
    EXPECT_EQ(wrapper(4), 8);
    EXPECT_EQ(loads, 1);
    return wrapper;
  }();
  EXPECT_EQ(f(4), 8);
  EXPECT_EQ(f(4), 8);
  EXPECT_EQ(loads, 3);
  EXPECT_EQ(f.refresh(4), 8);
  EXPECT_EQ(*f.shared(4), 8);
  EXPECT_FALSE(f.peek(4));
  EXPECT_FALSE(f.put(4, 1));
  EXPECT_FALSE(f.invalidate(4));
  f.cache_clear();
}

struct UselessExecutor : ::testing::TestWithParam<std::shared_ptr<Executor>> {
  testing::CleanCache clean{{.executor = GetParam()}};
  CacheManager& cache = clean.cache;
};

TEST_P(UselessExecutor, RefusesCallsWithATimeoutAtOnce) {
  bool inside = false;
  const auto f = cache.cached({.prefix = "p", .load_timeout = 1h}, [](int i) { return i; })
                     .bulk_loader([](const std::vector<int>& wanted) { return wanted; });
  EXPECT_THROW(f(1), OverloadError);
  for (const auto& outcome : f.many({1, 2})) EXPECT_THROW(outcome.value(), OverloadError);
  EXPECT_EQ(cache.get_stats().shed, 3u);
  EXPECT_EQ(cache.get_stats().loads, 0u);
  // Nothing is left attached that a load without an executor would join.
  const auto outer = cache.cached({.prefix = "outer"}, [&](int i) { return inside = true, f(i); });
  EXPECT_EQ(outer(1), 1);
  EXPECT_TRUE(inside);
}

TEST_P(UselessExecutor, ServesStaleAndLoadsTheRestOfABatch) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "p", .stale_for = 1h}, [](int i) { return i; })
                     .bulk_loader([](const std::vector<int>& wanted) { return wanted; });
  f(1);
  clean.clock->advance(61s);
  EXPECT_EQ(f(1), 1);
  const auto found = f.many({1, 2});
  EXPECT_EQ(found[0], 1);
  EXPECT_EQ(found[1], 2);
  EXPECT_EQ(f(2), 2);
  EXPECT_NO_THROW(f.cache_clear());
}

INSTANTIATE_TEST_SUITE_P(That, UselessExecutor,
                         ::testing::Values(std::make_shared<testing_support::FullExecutor>(),
                                           std::make_shared<testing_support::DroppingExecutor>(),
                                           std::make_shared<testing_support::ThrowingExecutor>()));

// A function's key may be used by hand: its loads share no flight with others, and yet no older value comes back.
TEST_F(SingleFlight, AnOlderLoadOfAKeyByOthersReplacesNoNewerOne) {
  std::atomic<int> source{1};
  for (const bool by_function : {false, true}) {
    source = 1;
    cache.flush_all();
    std::latch begun(1), goes_on(1);
    const auto held = [&] {
      const int seen = source;
      begun.count_down();
      goes_on.wait();
      return seen;
    };
    const auto f = cache.cached({.ttl = 60s, .prefix = "p"},
                                std::function<int(std::string)>([&](const std::string&) { return held(); }));
    std::jthread older(
        [&] { EXPECT_EQ(by_function ? f("k") : cache.get_or_load("k", held, {.ttl = 60s, .prefix = "p"}), 1); });
    begun.wait();
    source = 2;
    EXPECT_EQ(cache.get_or_load("p:k", [&] { return source.load(); }, {.ttl = 60s}), 2);
    goes_on.count_down();
    older.join();
    EXPECT_EQ(cache.get<int>("p:k"), 2);
  }
}

TEST_F(SingleFlight, AnOlderLoadOfAnotherTypeReplacesNoNewerOne) {
  std::latch begun(1), goes_on(1);
  const auto held = [&] {
    begun.count_down();
    goes_on.wait();
    return 1;
  };
  std::jthread older([&] { EXPECT_EQ(cache.get_or_load("k", held), 1); });
  begun.wait();
  EXPECT_EQ(cache.get_or_load("k", [] { return std::int64_t{2}; }), 2);
  goes_on.count_down();
  older.join();
  EXPECT_EQ(cache.get<std::int64_t>("k"), 2);
}

}  // namespace
}  // namespace dsta::cache
