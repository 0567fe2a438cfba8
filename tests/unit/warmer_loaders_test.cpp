// What a warmer's loaders may be, the keys that its errors name, and its daily schedule.
#include <atomic>
#include <chrono>
#include <functional>
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

struct WarmerLoaders : ::testing::Test, testing::CleanCache {
  std::atomic<int> runs{0};
  CacheWarmer warmer{cache};

  auto rsi(std::string_view name = "rsi") {
    return cache.cached({.ttl = 1h, .prefix = "indicator", .name = std::string(name)},
                        [this](const std::string& symbol, int period) {
                          if (symbol == "BAD") throw std::runtime_error("no such symbol");
                          return ++runs, static_cast<double>(symbol.size()) + period;
                        });
  }
};

TEST_F(WarmerLoaders, FixedArgumentsFollowTheSymbol) {
  auto f = rsi();
  warmer.add_indicator("rsi", f, 14);
  warmer.add_indicator("rsi21", f, 21L);
  EXPECT_EQ(warmer.warm_indicators({"BTC", "ETH"}).warmed, 4U);
  EXPECT_EQ(f("BTC", 14), 17);
  EXPECT_EQ(f("ETH", 21), 24);
  EXPECT_EQ(runs, 4) << "what readers read is warm";
}

TEST_F(WarmerLoaders, FixedArgumentsAreKept) {
  auto macd = cache.cached({.prefix = "macd"}, [](std::string symbol, std::string&& interval, std::string_view market) {
    return symbol + interval + std::string(market);
  });
  {
    std::string market = "spot";
    warmer.add_indicator("macd", macd, "1h", std::string_view(market));
    market = "gone";
  }
  EXPECT_EQ(warmer.warm_indicators({"BTC"}).failed, 0U);
  EXPECT_EQ(macd.peek("BTC", "1h", "spot"), "BTC1hspot");
}

TEST_F(WarmerLoaders, DefaultArgumentsMayBeLeftOut) {
  auto f = cache.cached({.prefix = "f"}, [](const std::string& symbol, int limit = 100) {
    return static_cast<int>(symbol.size()) + limit;
  });
  warmer.add_market_data("f", f);
  EXPECT_EQ(warmer.warm_market_data({"BTC"}).warmed, 1U);
  EXPECT_EQ(f.peek("BTC"), 103);
}

TEST_F(WarmerLoaders, AHandleIsALoader) {
  const cached<double(const std::string&, int)> handle = rsi();
  warmer.add_indicator("rsi", handle, 14);
  EXPECT_EQ(warmer.warm_indicators({"BTC"}).warmed, 1U);
  EXPECT_EQ(handle.peek("BTC", 14), 17);
}

CacheManager& lazy_cache() {
  static CacheManager cache;
  return cache;
}
constinit const auto lazily = lazy(
    [] { return lazy_cache().cached({.prefix = "lazy"}, [](const std::string& symbol) { return symbol.size(); }); });

TEST_F(WarmerLoaders, ALazyWrapperIsALoader) {
  warmer.add_market_data("lazy", lazily);
  EXPECT_EQ(warmer.warm_market_data({"BTC"}).warmed, 1U);
  EXPECT_EQ(lazily->peek("BTC"), 3U);
}

TEST_F(WarmerLoaders, AnyCallableWithASymbolIsALoader) {
  auto f = rsi();
  std::vector<std::string> seen;
  CacheWarmer one_by_one{cache, {.concurrency = 1}};
  one_by_one.add_market_data("both", [&](const std::string& symbol) {
    seen.push_back(symbol);
    (void)f.refresh(symbol, 7);
    (void)f.refresh(symbol, 14);
  });
  one_by_one.add_market_data(
      "counted", [n = 0](std::string_view, int by) mutable { return n += by; }, 2);
  const WarmReport report = one_by_one.warm_market_data({"BTC", "BAD"});
  EXPECT_EQ(report.warmed, 3U);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_EQ(report.errors[0].item, "both(BAD)");
  EXPECT_EQ(report.errors[0].key, "") << "a callable has none";
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_EQ(f.peek("BTC", 7), 10);
}

TEST_F(WarmerLoaders, ACallableRemembersWhatItSaw) {
  CacheWarmer one_by_one{cache, {.concurrency = 1}};
  std::vector<int> seen;
  one_by_one.add_market_data("numbered", [&seen, n = 0](const std::string&) mutable { seen.push_back(++n); });
  (void)one_by_one.warm_market_data({"BTC", "ETH"});
  (void)one_by_one.warm_market_data({"XRP"});
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3})) << "one callable, not a copy for each item";
}

TEST_F(WarmerLoaders, ErrorsNameTheKey) {
  auto f = rsi();
  warmer.add_indicator("rsi", f, 14);
  const WarmReport registered = warmer.warm_indicators({"BTC", "BAD"});
  ASSERT_EQ(registered.errors.size(), 1U);
  EXPECT_EQ(registered.errors[0].item, "rsi(BAD)");
  EXPECT_EQ(registered.errors[0].key, "indicator:rsi:BAD:14");
  EXPECT_EQ(registered.errors[0].message, "no such symbol");

  const std::vector<std::pair<std::string, int>> items{{"BTC", 7}, {"BAD", 21}};
  const WarmReport any = warmer.warm(f, items, "rsi");
  ASSERT_EQ(any.errors.size(), 1U);
  EXPECT_EQ(any.errors[0].item, "rsi(indicator:rsi:BAD:21)");
  EXPECT_EQ(any.errors[0].key, "indicator:rsi:BAD:21");
}

TEST_F(WarmerLoaders, AKeyThatCannotBeMadeIsAnErrorOfItsItem) {
  auto f = cache.cached({.prefix = "f"}, [](int n) { return n; }).key_builder([](int n) {
    if (n == 2) throw std::runtime_error("no key");
    return std::to_string(n);
  });
  const WarmReport report = warmer.warm(f, std::vector<int>{1, 2, 3});
  EXPECT_EQ(report.warmed, 2U);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_EQ(report.errors[0].item, "warm(1)");
  EXPECT_EQ(report.errors[0].key, "");
  EXPECT_EQ(report.errors[0].message, "no key");
}

TEST_F(WarmerLoaders, ATimeOfDayOutOfRangeIsRefused) {
  EXPECT_THROW(warmer.every_day({.at = 24h}, [] {}), ConfigError);
  EXPECT_THROW(warmer.every_day({.at = -1s}, [] {}), ConfigError);
  EXPECT_THROW(warmer.every_day({.at = 9h, .zone = "Nowhere"}, [] {}), ConfigError);
}

TEST_F(WarmerLoaders, TheDailyJobRunsWhenItsTimeHasCome) {
  using Wall = std::chrono::system_clock::time_point;
  const Wall monday = std::chrono::sys_days(std::chrono::year(2026) / 3 / 2);
  std::atomic<Wall> wall{monday + 8h};
  std::atomic<int> jobs{0};
  CacheWarmer daily{cache, {.wall_clock = [&] { return wall.load(); }}};
  daily.every_day({.at = 9h}, [&] { ++jobs; });
  const auto looks = [&](int expected) {
    for (int i = 0; i < 2000 && jobs < expected; ++i) {
      clock->advance(1s);
      std::this_thread::sleep_for(1ms);
    }
    return jobs.load();
  };
  for (int i = 0; i < 20; ++i) clock->advance(1s), std::this_thread::sleep_for(1ms);
  EXPECT_EQ(jobs, 0);
  wall = monday + 9h;
  EXPECT_EQ(looks(1), 1);
  for (int i = 0; i < 20; ++i) clock->advance(1s), std::this_thread::sleep_for(1ms);
  EXPECT_EQ(jobs, 1) << "once a day";
  wall = monday + 33h;
  EXPECT_EQ(looks(2), 2);
}

}  // namespace
}  // namespace dsta::cache
