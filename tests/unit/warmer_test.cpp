// Warming: what it refreshes, how many at once, what it reports, and how its schedule ends.
#include <dsta/cache/testing.hpp>
#include <dsta/cache/warmer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct Warmer : ::testing::Test, testing::CleanCache {
  std::atomic<int> runs{0};
  using Text = const std::string&;
};

std::vector<std::string> symbols(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back("S" + std::to_string(i));
  return names;
}

TEST_F(Warmer, RefreshesColdAndWarmKeysAlike) {
  const auto ticker = cache.cached({.ttl = 60s, .prefix = "api"}, [&](Text) { return ++runs; });
  CacheWarmer warmer(cache);
  warmer.add_market_data("ticker", ticker);
  EXPECT_EQ(ticker("BTC"), 1);
  clock->advance(50s);
  const WarmReport report = warmer.warm_market_data({"BTC", "ETH"});
  EXPECT_EQ(std::tuple(report.warmed, report.failed, report.skipped), std::tuple(2u, 0u, 0u));
  EXPECT_EQ(runs, 3);
  EXPECT_GT(ticker.peek("BTC"), 1);
  EXPECT_EQ(cache.get_ttl(ticker.key_for("BTC")), 60s);
  ticker("ETH");
  EXPECT_EQ(runs, 3) << "a warmed key is a hit";
}

TEST_F(Warmer, WarmsTheIndicatorsThatAreNamedOrAllOfThem) {
  const auto rsi = cache.cached({.prefix = "indicator", .name = "rsi"}, [](Text s) { return s + " rsi"; });
  const auto ema = cache.cached({.prefix = "indicator", .name = "ema"}, [](Text s) { return s + " ema"; });
  CacheWarmer warmer(cache);
  warmer.add_indicator("rsi", rsi);
  warmer.add_indicator("ema", ema);
  EXPECT_EQ(warmer.warm_indicators({"BTC"}, {"rsi"}).warmed, 1u);
  EXPECT_TRUE(rsi.peek("BTC"));
  EXPECT_FALSE(ema.peek("BTC"));
  EXPECT_EQ(warmer.warm_indicators({"BTC", "ETH"}).warmed, 4u);
  EXPECT_EQ(ema.peek("ETH"), "ETH ema");
  EXPECT_EQ(warmer.warm_market_data({"BTC"}).warmed, 0u) << "indicators are no market data";
}

TEST_F(Warmer, ANameNobodyRegisteredOrOneTakenIsAConfigError) {
  const auto rsi = cache.cached({.prefix = "indicator"}, [](Text s) { return s; });
  CacheWarmer warmer(cache);
  warmer.add_indicator("rsi", rsi);
  EXPECT_THROW(warmer.add_indicator("rsi", rsi), ConfigError);
  warmer.add_market_data("rsi", rsi);
  try {
    warmer.warm_indicators({"BTC"}, {"rsi", "macd"});
    FAIL() << "not refused";
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), ::testing::AllOf(HasSubstr("'macd'"), HasSubstr("rsi")));
  }
  EXPECT_FALSE(rsi.peek("BTC")) << "nothing is warmed when a name is wrong";
  EXPECT_THROW(CacheWarmer(cache, {.concurrency = 0}), ConfigError);
}

TEST_F(Warmer, RunsAsManyLoadsAtOnceAsItMayAndNoMore) {
  constexpr std::ptrdiff_t kAtOnce = 3;
  std::latch all(kAtOnce);
  std::atomic<int> now{0}, most{0}, begun{0};
  const auto f = cache.cached({.prefix = "slow"}, [&](Text) {
    const int running = ++now;
    for (int seen = most; seen < running && !most.compare_exchange_weak(seen, running);) {
    }
    if (++begun <= kAtOnce) all.arrive_and_wait();  // would wait for ever with less concurrency
    return --now;
  });
  CacheWarmer warmer(cache, {.concurrency = kAtOnce});
  warmer.add_market_data("slow", f);
  EXPECT_EQ(warmer.warm_market_data(symbols(60)).warmed, 60u);
  EXPECT_EQ(most, kAtOnce);
}

TEST_F(Warmer, ReportsEachItemsProgressOneAtATime) {
  const auto f =
      cache.cached({.prefix = "f"}, [](Text s) { return s == "S3" ? throw std::runtime_error("no S3") : s; });
  std::vector<std::size_t> done;  // no lock: the calls come one at a time
  std::set<std::string> items;
  std::vector<std::string> failed;
  CacheWarmer warmer(cache, {.on_progress = [&](const WarmProgress& progress) {
                       EXPECT_EQ(progress.total, 20u);
                       done.push_back(progress.done);
                       items.emplace(progress.item);
                       if (progress.failed) failed.emplace_back(progress.item);
                     }});
  warmer.add_market_data("f", f);
  warmer.warm_market_data(symbols(20));
  std::vector<std::size_t> counted(20);
  for (std::size_t i = 0; i < 20; ++i) counted[i] = i + 1;
  EXPECT_EQ(done, counted);
  EXPECT_EQ(items.size(), 20u);
  EXPECT_EQ(failed, std::vector<std::string>{"f(S3)"});
}

TEST_F(Warmer, AnItemsErrorIsReportedAndTheRestGoesOn) {
  const auto f = cache.cached({.prefix = "f"}, [](Text s) -> std::string {
    if (s == "S1") throw std::runtime_error("exchange is down");
    if (s == "S2") throw 5;
    return s;
  });
  CacheWarmer warmer(cache);
  warmer.add_market_data("f", f);
  const WarmReport report = warmer.warm_market_data(symbols(5));
  EXPECT_EQ(std::tuple(report.warmed, report.failed), std::tuple(3u, 2u));
  std::vector<std::string> errors;
  for (const auto& error : report.errors) errors.push_back(error.item + ": " + error.message);
  EXPECT_THAT(errors, UnorderedElementsAre("f(S1): exchange is down", HasSubstr("f(S2): ")));
  EXPECT_TRUE(f.peek("S4"));
}

TEST_F(Warmer, WarmsAnyFunctionForARangeOfArgumentsOrTuples) {
  const auto one = cache.cached({.prefix = "one"}, [](int n) { return n; });
  const auto two = cache.cached({.prefix = "two"}, [](Text s, int n) { return s + std::to_string(n); });
  CacheWarmer warmer(cache);
  EXPECT_EQ(warmer.warm(one, std::vector{1, 2, 3}).warmed, 3u);
  EXPECT_EQ(warmer.warm(two, std::vector{std::tuple(std::string("a"), 1), std::tuple(std::string("b"), 2)}).warmed, 2u);
  EXPECT_TRUE(one.peek(3));
  EXPECT_TRUE(two.peek("b", 2));
}

TEST(WarmerSchedule, AJobRunsOnceEachIntervalWhateverItThrows) {
  const auto background = std::make_shared<testing_support::HandExecutor>();
  testing::CleanCache clean({.executor = background, .log = {.level = LogLevel::off}});
  CacheWarmer warmer(clean.cache);
  int times = 0;
  warmer.every(1min, [&] {
    ++times;
    if (times == 2) throw std::runtime_error("one failure does not end the schedule");
    if (times == 3) throw 3;
  });
  clean.clock->advance(1min - 1ns);
  for (int expected = 1; expected <= 5; ++expected) {
    clean.clock->advance(expected == 1 ? Duration(1ns) : 1min);
    EXPECT_EQ(background->await_and_run(), 1u);
    EXPECT_EQ(times, expected);
  }
  EXPECT_THROW(warmer.every(0s, [] {}), ConfigError);
}

TEST(WarmerSchedule, AWaitingJobOfADestroyedWarmerNeverBegins) {
  const auto background = std::make_shared<testing_support::HandExecutor>();
  testing::CleanCache clean({.executor = background});
  int times = 0;
  auto warmer = std::make_unique<CacheWarmer>(clean.cache);
  warmer->every(1s, [&] { ++times; });
  clean.clock->advance(1s);
  while (background->waiting() == 0) std::this_thread::yield();
  warmer.reset();
  background->run();
  EXPECT_EQ(times, 0);
}

TEST_F(Warmer, ItsDestructorWaitsForAScheduledJobThatRuns) {
  std::latch begun(1), destroying(1);
  std::atomic<bool> finished{false};
  auto warmer = std::make_unique<CacheWarmer>(cache);
  warmer->every(1s, [&] {
    begun.count_down();
    destroying.wait();
    finished = true;
  });
  clock->advance(1s);
  begun.wait();
  std::jthread release([&] { destroying.count_down(); });
  warmer.reset();
  EXPECT_TRUE(finished) << "the job may use what dies with the warmer's owner";
}

TEST_F(Warmer, AJobMayDestroyItsWarmer) {
  auto warmer = std::make_unique<CacheWarmer>(cache);
  std::promise<void> gone;
  warmer->every(1s, [&] { warmer.reset(), gone.set_value(); });
  clock->advance(1s);
  gone.get_future().wait();
  EXPECT_FALSE(warmer);
}

/// Loads with a load_timeout run in the background, and so do the warmer's own workers.
TEST(WarmerOnOneThread, WarmsFunctionsThatHaveALoadTimeout) {
  testing::CleanCache clean({.executor = thread_pool(1)});
  const auto f =
      clean.cache.cached({.prefix = "f", .load_timeout = 1h}, [](const std::string& symbol) { return symbol; });
  CacheWarmer warmer(clean.cache, {.concurrency = 2});
  warmer.add_market_data("f", f);
  EXPECT_EQ(warmer.warm_market_data(symbols(20)).warmed, 20u);
}

/// On the system's clock, and on one that stands still.
struct WarmerThatWaits : ::testing::TestWithParam<bool> {
  static ManagerOptions options(bool manual) {
    ManagerOptions made;
    if (manual) made.clock = std::make_shared<testing::ManualClock>();
    return made;
  }
  CacheManager cache{options(GetParam())};
  std::atomic<int> loads{0};
  const WarmerOptions patient{.concurrency = 3, .jitter = 1000h};
};
INSTANTIATE_TEST_SUITE_P(On, WarmerThatWaits, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "ManualClock" : "SystemClock"; });

TEST_P(WarmerThatWaits, EndsAtOnceAndItsCallersWithIt) {
  const auto f = cache.cached({.prefix = "f"}, [&](const std::string& symbol) { return ++loads, symbol; });
  auto warmer = std::make_unique<CacheWarmer>(cache, patient);
  warmer->add_market_data("f", f);
  std::promise<void> called;
  auto report = std::async(std::launch::async, [&, at = warmer.get()] {
    called.set_value();
    return at->warm_market_data(symbols(20));
  });
  called.get_future().wait();
  ASSERT_EQ(report.wait_for(100ms), std::future_status::timeout) << "it waits";
  const auto begin = std::chrono::steady_clock::now();
  warmer.reset();
  const WarmReport end = report.get();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(std::tuple(end.warmed, end.failed, end.skipped), std::tuple(0u, 0u, 20u));
  EXPECT_EQ(loads, 0);
}

TEST_P(WarmerThatWaits, EndsAtOnceWhileAScheduledRunWaits) {
  const auto f = cache.cached({.prefix = "f"}, [&](const std::string& symbol) { return ++loads, symbol; });
  auto warmer = std::make_unique<CacheWarmer>(cache, patient);
  warmer->add_market_data("f", f);
  std::promise<void> begun;
  std::atomic<bool> first{true};
  warmer->every(1ms, [&, at = warmer.get()] {
    if (first.exchange(false)) begun.set_value();
    (void)at->warm_market_data(symbols(3));
  });
  auto running = begun.get_future();
  while (running.wait_for(1ms) != std::future_status::ready) {
    if (GetParam()) dynamic_cast<testing::ManualClock&>(*cache.options().clock).advance(1ms);
  }
  const auto begin = std::chrono::steady_clock::now();
  warmer.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(loads, 0);
}

TEST_F(Warmer, WhatItsProgressCallThrowsIsThrownWhenAllIsDone) {
  const auto f = cache.cached({.prefix = "f"}, [&](Text symbol) { return ++runs, symbol; });
  std::atomic<int> calls{0};
  CacheWarmer warmer(cache, {.concurrency = 4, .on_progress = [&](const WarmProgress&) {
                               if (++calls == 3) throw std::domain_error("no more");
                             }});
  warmer.add_market_data("f", f);
  EXPECT_THROW(warmer.warm_market_data(symbols(50)), std::domain_error);
  EXPECT_EQ(runs, 50);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(warmer.warm_market_data(symbols(2)).warmed, 2u) << "and the next run works";
}

/// As when no thread can be started.
struct NoThreads final : Executor {
  bool try_post(std::function<void()>) override { throw std::system_error(EAGAIN, std::generic_category()); }
};

TEST(WarmerWithoutThreads, WarmsAllOnTheCallersThread) {
  testing::CleanCache clean({.executor = std::make_shared<NoThreads>()});
  const auto f = clean.cache.cached({.prefix = "f"}, [](const std::string& symbol) { return symbol; });
  CacheWarmer warmer(clean.cache, {.concurrency = 8});
  warmer.add_market_data("f", f);
  EXPECT_EQ(warmer.warm_market_data(symbols(20)).warmed, 20u);
}

/// No text can be made of it: as when there is no memory for one.
struct Unspeakable final : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

TEST_F(Warmer, AFailureThatCannotBeNotedIsCountedAndTheRunEnds) {
  const auto f = cache.cached({.prefix = "f"}, [](Text symbol) -> std::string {
    if (symbol == "S1") throw Unspeakable();
    return symbol;
  });
  CacheWarmer warmer(cache, {.concurrency = 2});
  warmer.add_market_data("f", f);
  const WarmReport report = warmer.warm_market_data(symbols(4));
  EXPECT_EQ(std::tuple(report.warmed, report.failed, report.errors.size()), std::tuple(3u, 1u, 0u));
}

}  // namespace
}  // namespace dsta::cache
