// What an application does with its cached functions, one after the other: a candle arrives, a user changes a
// preference, the exchange fails, a cron job warms, an operator reads the statistics. Each checks what it shows.
#pragma once

#include <dsta/cache.hpp>

#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "candle_store.hpp"
#include "exchange_client.hpp"
#include "indicators.hpp"
#include "market.hpp"
#include "measure.hpp"
#include "progress_bar.hpp"
#include "report.hpp"

namespace trading {

using dsta::cache::CacheInvalidator;
using dsta::cache::CacheManager;
using dsta::cache::CacheStats;
using dsta::cache::CacheWarmer;
using dsta::cache::WarmerOptions;
using dsta::cache::WarmProgress;

inline constexpr int kUser = 1;
inline constexpr int kOtherUser = 12;  // begins with the same digit: must never be taken for user 1

/// A candle arrives: into the database first, then the cache is told, then every function knows it.
void show_update(Report& report, const Market& market, CandleStore& store, CacheInvalidator& invalidator,
                 auto& get_ticker, auto& get_candles, auto& rsi, auto& macd) {
  const auto& symbol = market.symbols.front();
  const Candle& candle = market.upcoming.at(symbol);
  const Ticker ticker_before = get_ticker(symbol);
  const double rsi_before = rsi(symbol);
  const Macd macd_before = macd(symbol);

  store.insert(symbol, market.interval, candle);
  invalidator.invalidate_symbol_data(symbol);

  const Ticker ticker = get_ticker(symbol);
  const double rsi_after = rsi(symbol);
  report.section(fmt::format("update: a new candle of {}", symbol));
  report.line(fmt::format("ticker {}  →  {}", describe(ticker_before), describe(ticker)));
  report.line(fmt::format("rsi {}  →  {}    macd {}  →  {}", describe(rsi_before), describe(rsi_after),
                          describe(macd_before), describe(macd(symbol))));
  const auto fresh = store.recent_candles(symbol, market.interval);
  report.check(ticker.time == candle.open_time && ticker.last == candle.close, "the next ticker is the new candle's");
  report.check(get_candles(symbol, market.interval) == fresh && rsi_after == latest_rsi(closes_of(fresh)) &&
                   macd(symbol) == latest_macd(closes_of(fresh)),
               "candles, and the indicators made of them, are as fresh as the database");
}

void show_session(Report& report, CandleStore& store, CacheInvalidator& invalidator, auto& get_preferences) {
  Preferences wanted = get_preferences(kUser);
  const Preferences other = get_preferences(kOtherUser);
  const auto before = describe(wanted);
  wanted.theme = "light";
  store.save_preferences(wanted);
  invalidator.invalidate_user_session(kUser);

  report.section(fmt::format("session: user {} changes the theme", kUser));
  report.line(fmt::format("{}  →  {}", before, describe(get_preferences(kUser))));
  report.check(get_preferences(kUser) == wanted, "the next call has the new preferences");
  report.check(get_preferences.peek(kOtherUser) == other, fmt::format("user {} stayed cached", kOtherUser));
}

void show_outage(Report& report, const Market& market, ExchangeClient& exchange, auto& get_ticker,
                 auto& get_order_book) {
  const auto& symbol = market.symbols.front();
  const Ticker known = get_ticker(symbol);
  get_order_book.invalidate(symbol);
  exchange.set_down(true);
  report.section("outage: the exchange answers 503");
  report.check(get_ticker(symbol) == known, "what is cached is still served");
  std::string error = "none";
  try {
    get_order_book(symbol);
  } catch (const ExchangeError& failure) {
    error = failure.what();
  }
  report.check(error == fmt::format("exchange: 503 for {}", symbol) && !get_order_book.peek(symbol),
               "what is not gives the client's own exception, and nothing is stored");
  exchange.set_down(false);
}

void show_warming(Report& report, const Market& market, CacheManager& cache, auto& get_ticker, auto& rsi, auto& macd) {
  report.section("warming: refreshed before anyone asks");
  ProgressBar bar{stdout};
  WarmerOptions options{
      .concurrency = 4,
      .on_progress = [&bar](const WarmProgress& progress) { bar.update(progress.done, progress.total, progress.item); },
  };
  CacheWarmer warmer{cache, options};
  warmer.add_market_data("ticker", get_ticker);
  warmer.add_indicator("rsi", rsi);
  warmer.add_indicator("macd", macd);

  const auto warm = [&](std::string_view label, auto job) {
    bar.start(label);
    auto call = [&] { return job(); };
    const auto [warmed, time] = timed(call);
    bar.finish(fmt::format("{} warmed, {} failed in {}", warmed.warmed, warmed.failed, describe(time)));
    report.quiet_check(warmed.failed == 0, fmt::format("{}: nothing failed", label));
  };
  warm("tickers", [&] { return warmer.warm_market_data(market.symbols); });
  warm("indicators", [&] { return warmer.warm_indicators(market.symbols, {"rsi", "macd"}); });

  bool all = true;
  for (const auto& s : market.symbols) all = all && get_ticker.peek(s) && rsi.peek(s) && macd.peek(s);
  report.check(all, "every symbol's ticker, rsi and macd are in the cache");
}

inline void show_statistics(Report& report, CacheManager& cache, const ExchangeClient& exchange) {
  report.section(fmt::format("{:<14}{:>10}{:>9}{:>9}{:>10}", "statistics", "hits", "misses", "sets", "hit rate"));
  const auto row = [&](std::string_view name, const CacheStats& stats) {
    report.line(
        fmt::format("{:<12}{:>10}{:>9}{:>9}{:>10}", name, stats.hits, stats.misses, stats.sets, stats.hit_rate_text()));
  };
  for (const auto& [prefix, stats] : cache.get_stats_by_prefix()) row(prefix, stats);
  const CacheStats total = cache.get_stats();
  row("all", total);
  report.line(fmt::format("{} requests reached the exchange", exchange.requests()));
  report.quiet_check(total.total_requests == total.hits + total.misses, "hits and misses add up to the requests");
}

}  // namespace trading
