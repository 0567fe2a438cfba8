// Filling the cache before anyone asks.
#include <dsta/cache.hpp>

#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

std::atomic<int> fetches{0};
double fetch_ticker(const std::string& symbol) {
  if (symbol == "BAD") throw std::runtime_error("no such symbol");
  return 64000.0 + ++fetches;
}
double work_out_rsi(const std::string&, int period) { return 50.0 + period; }

int main() {
  dsta::cache::CacheManager cache;
  auto ticker = cache.cached({.ttl = 60s, .prefix = "api", .name = "ticker"}, fetch_ticker);
  auto rsi = cache.cached({.ttl = 1h, .prefix = "indicator", .name = "rsi"}, work_out_rsi);

  // [warmer]
  const dsta::cache::WarmerOptions options{
      .concurrency = 2,
      .jitter = 5ms,
      .on_progress = [](const dsta::cache::WarmProgress& p) { std::printf("  %zu of %zu\n", p.done, p.total); },
  };
  dsta::cache::CacheWarmer warmer{cache, options};
  warmer.add_market_data("ticker", ticker);
  warmer.add_indicator("rsi", rsi, 14);  // what rsi(symbol, 14) reads

  const dsta::cache::WarmReport report = warmer.warm_market_data({"BTCUSDT", "ETHUSDT", "BAD"});
  check(report.warmed == 2 && report.failed == 1 && report.skipped == 0, "an item that fails does not end the run");
  for (const dsta::cache::WarmError& error : report.errors) {
    std::printf("  %s: %s\n", error.key.c_str(), error.message.c_str());  // api:ticker:BAD: no such symbol
  }
  check(warmer.warm_indicators({"BTCUSDT"}, {"rsi"}).warmed == 1, "the named indicators; without names, all");
  // [/warmer]
  check(report.errors.size() == 1 && report.errors[0].item == "ticker(BAD)" && report.took >= 0s,
        "the report names it");
  check(ticker.peek("BTCUSDT") && ticker.peek("ETHUSDT") && rsi.peek("BTCUSDT", 14), "the cache is warm");

  // [warm]
  const std::vector<std::pair<std::string, int>> items{{"BTCUSDT", 7}, {"BTCUSDT", 21}};
  check(warmer.warm(rsi, items, "rsi").warmed == 2, "any function, for any list of arguments");
  // [/warm]
  check(rsi.peek("BTCUSDT", 21) == 71.0, "a tuple is spread into arguments");

  // [callable]
  warmer.add_market_data("all periods", [&](const std::string& symbol) {
    for (const int period : {7, 14, 21}) rsi.refresh(symbol, period);
  });
  // [/callable]

  // [every_day]
  warmer.every_day({.at = 9h + 30min - 30min, .weekdays_only = true},  // .zone = "America/New_York"; default UTC
                   [&] {
                     warmer.warm_market_data({"BTCUSDT", "ETHUSDT"});
                   });
  // [/every_day]

  // [every]
  std::atomic<int> runs{0};
  dsta::cache::CacheWarmer scheduled{cache};
  scheduled.add_market_data("ticker", ticker);
  scheduled.every(20ms, [&] {  // in a program: a bit less than the ttl
    scheduled.warm_market_data({"BTCUSDT"});
    ++runs;
  });
  // [/every]
  while (runs < 2) std::this_thread::sleep_for(1ms);
  check(fetches >= 4, "the scheduled job ran twice");
}
