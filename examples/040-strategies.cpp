// Ready-made options for four kinds of data.
#include <dsta/cache.hpp>

#include <string>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

double fetch_ticker(const std::string&) { return 64000.5; }
double fetch_best_bid(const std::string&) { return 64000.0; }
std::vector<double> query_closes(const std::string&, const std::string&) { return {1, 2, 3}; }
std::string load_preferences(int user) { return "user " + std::to_string(user); }

int main() {
  dsta::cache::CacheManager cache;

  // [strategies]
  dsta::cache::CacheStrategies strategies{cache};
  auto ticker = strategies.api_response_cache(5s, "ticker")(fetch_ticker);         // prefix api, 60 s unless given
  auto best_bid = strategies.api_response_cache(2s, "best_bid")(fetch_best_bid);   // a second function needs a name
  auto closes = strategies.database_query_cache()(query_closes);                   // prefix db, 300 s
  auto average = strategies.indicator_cache()([closes](const std::string& symbol)  // prefix indicator, 1 h
                                              { return closes(symbol, "1h").back(); });
  auto preferences = strategies.session_cache()(load_preferences);  // prefix session, 30 min
  // [/strategies]

  check(ticker("BTCUSDT") == 64000.5 && ticker.key_for("BTCUSDT") == "api:ticker:BTCUSDT", "api:ticker:BTCUSDT");
  check(best_bid("BTCUSDT") == 64000.0 && best_bid.key_for("BTCUSDT") == "api:best_bid:BTCUSDT",
        "api:best_bid:BTCUSDT");
  check(average("BTCUSDT") == 3 && average.key_for("BTCUSDT") == "indicator:BTCUSDT", "indicator:BTCUSDT");
  check(closes.peek("BTCUSDT", "1h").has_value(), "db:BTCUSDT:1h was loaded by the indicator");
  check(preferences(7) == "user 7" && cache.get_ttl("session:7") > 29min, "session:7 lives for 30 minutes");

  // [preset]
  cache.set_preset("candles", {.ttl = 60s, .stale_for = 5min, .jitter = 0.1});  // for all under the prefix from now on
  auto candles = cache.cached({.prefix = "candles"}, query_closes);
  // [/preset]
  candles("BTCUSDT", "1m");
  check(cache.get_ttl("candles:BTCUSDT:1m") <= 60s, "the preset's ttl");
}
