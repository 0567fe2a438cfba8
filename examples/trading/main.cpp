// A market-data service: SQLite and an exchange behind cached functions.
//
// run() wires the service: one cached function each for ticker, order book, candles, indicators and preferences.
// walkthrough.hpp uses it as an application would.
#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

#include <cstdio>
#include <exception>
#include <string>

#include <fmt/format.h>

#include "candle_store.hpp"
#include "exchange_client.hpp"
#include "indicators.hpp"
#include "market.hpp"
#include "measure.hpp"
#include "model_json.hpp"
#include "options.hpp"
#include "report.hpp"
#include "walkthrough.hpp"

namespace trading {
namespace {

using namespace std::chrono_literals;
using dsta::cache::CacheStrategies;
using dsta::cache::check_health;
using dsta::cache::Health;

bool run(const Options& options) {
  CandleStore store{options.database};
  const Market market = load_market(options, store);
  const std::string& symbol = market.symbols.front();
  const std::string& interval = market.interval;
  store.save_preferences({kUser, "dark", "USD", symbol});
  store.save_preferences({kOtherUser, "dark", "EUR", symbol});
  ExchangeClient exchange{store, interval, options.latency};

  auto cache = CacheManager::from_env();
  CacheStrategies strategies{cache};
  CacheInvalidator invalidator{cache};
  auto get_ticker =
      strategies.api_response_cache(60s, "ticker")([&](const std::string& s) { return exchange.ticker(s); });
  auto get_order_book =
      strategies.api_response_cache(5s, "order_book")([&](const std::string& s) { return exchange.order_book(s); });
  auto get_candles = strategies.database_query_cache(
      300s, "candles")([&](const std::string& s, const std::string& every) { return store.recent_candles(s, every); });
  const auto closes = [&](const std::string& s) { return closes_of(get_candles(s, interval)); };
  auto rsi = strategies.indicator_cache(3600s, "rsi")([&](const std::string& s) { return latest_rsi(closes(s)); });
  auto macd = strategies.indicator_cache(3600s, "macd")([&](const std::string& s) { return latest_macd(closes(s)); });
  auto bollinger =
      strategies.indicator_cache(3600s, "bollinger")([&](const std::string& s) { return latest_bollinger(closes(s)); });
  auto get_preferences =
      strategies.session_cache(1800s, "preferences")([&](int user) { return store.preferences(user); });

  // A server may remember an earlier run; its database does not.
  for (const auto& each : market.symbols) invalidator.invalidate_symbol_data(each);
  for (const int user : {kUser, kOtherUser}) invalidator.invalidate_user_session(user);
  cache.clear_stats();

  Report report{stdout};
  const Health health = check_health(cache);
  report.title("cache", fmt::format("{}, {}", health.backend,
                                    health.healthy ? "healthy" : "not healthy: every call goes to its source"));
  report.title("candles",
               fmt::format("{}: {} × {} in SQLite {}", market.source, market.stored, interval, options.database));
  report.title("exchange", fmt::format("simulated, {} ms a request", options.latency.count()));

  const auto forget_symbol = [&] { invalidator.invalidate_symbol_data(symbol); };
  const auto forget_user = [&] { invalidator.invalidate_user_session(kUser); };
  report.timing_header(symbol);
  measure(report, "ticker", forget_symbol, [&] { return get_ticker(symbol); });
  measure(report, "order book", forget_symbol, [&] { return get_order_book(symbol); });
  measure(report, "candles", forget_symbol, [&] { return get_candles(symbol, interval); });
  measure(report, "rsi", forget_symbol, [&] { return rsi(symbol); });
  measure(report, "macd", forget_symbol, [&] { return macd(symbol); });
  measure(report, "bollinger", forget_symbol, [&] { return bollinger(symbol); });
  measure(report, "preferences", forget_user, [&] { return get_preferences(kUser); });

  show_update(report, market, store, invalidator, get_ticker, get_candles, rsi, macd);
  show_session(report, store, invalidator, get_preferences);
  show_outage(report, market, exchange, get_ticker, get_order_book);
  show_warming(report, market, cache, get_ticker, rsi, macd);
  show_statistics(report, cache, exchange);
  return report.finish();
}

}  // namespace
}  // namespace trading

int main(int argc, char** argv) {
  try {
    const auto options = trading::parse_options(argc, argv);
    if (!options.help.empty()) {
      fmt::print("{}", options.help);
      return 0;
    }
    return trading::run(options) ? 0 : 1;
  } catch (const trading::UsageError& error) {
    fmt::print(stderr, "trading: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "trading: {}\n", error.what());
    return 1;
  }
}
