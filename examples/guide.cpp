// A caching guide written for Python, block by block in its order, in C++. docs/migrating.md quotes it.
#include <dsta/cache.hpp>
#include <dsta/cache/fields.hpp>
#include <dsta/cache/global.hpp>
#include <dsta/cache/testing.hpp>

#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

// What the guide's functions are made of: an exchange, tables of a database, a logger.
struct Candle {
  double open, high, low, close, volume;
};
template <>
inline constexpr auto dsta::cache::fields<Candle> =
    dsta::cache::members<&Candle::open, &Candle::high, &Candle::low, &Candle::close, &Candle::volume>;
using Candles = std::vector<Candle>;
int fetched = 0;
double fetch_from_exchange(const std::string& symbol) {
  return ++fetched, 64000.5 + static_cast<double>(symbol.size());
}
Candles query_candles(const std::string&, const std::string&, int limit) {
  return Candles(static_cast<std::size_t>(limit), Candle{1, 2, 0.5, 1.5, 10});
}
double compute_rsi(const std::string&, int period) { return 50.0 + period; }
double compute_macd(const Candles& data, int fast, int slow, int signal) {
  return data.back().close * (fast - slow) / signal;
}
std::map<std::string, std::string> query_preferences(int user_id) { return {{"id", std::to_string(user_id)}}; }
std::vector<std::string> query_positions(int user_id) { return {"BTCUSDT", std::to_string(user_id)}; }
std::vector<double> query_trades(const std::string& symbol) {
  return symbol == "NEWUSDT" ? std::vector<double>() : std::vector<double>{64000, 64001};
}
int warnings = 0;
void log_warning(const std::string&) { ++warnings; }

int main() {
  // [basic]
  using dsta::cache::cached;
  auto& cache_manager = dsta::cache::cache_manager();

  // A value by key
  cache_manager.set("my_key", "my_value", {.ttl = 300s});
  auto value = cache_manager.get("my_key");

  // A function, wrapped as by a decorator
  auto get_market_data = cached(300s, "api")([](const std::string& symbol) { return fetch_from_exchange(symbol); });

  auto data = get_market_data("BTCUSDT");  // the exchange is asked
  data = get_market_data("BTCUSDT");       // and is not asked again
  // [/basic]
  check(value == "my_value" && data == 64007.5 && fetched == 1, "basic usage");

  // [strategies]
  using dsta::cache::CacheStrategies;
  CacheStrategies strategies{cache_manager};

  // Prefix api, one minute
  auto get_ticker = strategies.api_response_cache(
      60s, "ticker")([](const std::string& symbol) { return fetch_from_exchange(symbol); });

  // Prefix db, five minutes
  auto get_candlesticks = strategies.database_query_cache(300s, "candles")(
      [](const std::string& symbol, const std::string& interval) { return query_candles(symbol, interval, 100); });

  // Prefix indicator, an hour; the default of the period is the lambda's
  auto calculate_rsi = strategies.indicator_cache(
      3600s, "rsi")([](const std::string& symbol, int period = 14) { return compute_rsi(symbol, period); });

  // Prefix session, half an hour
  auto get_user_preferences =
      strategies.session_cache(1800s, "user")([](int user_id) { return query_preferences(user_id); });
  // [/strategies]
  check(get_ticker("BTCUSDT") == 64007.5 && get_candlesticks("BTCUSDT", "1h").size() == 100 &&
            calculate_rsi("BTCUSDT") == 64 && get_user_preferences(123).at("id") == "123",
        "strategies");

  // [api]
  auto get_binance_ticker =
      cached(60s, "api:binance", "ticker")([](const std::string& symbol) { return fetch_from_exchange(symbol); });
  // [/api]
  // [db]
  auto get_historical_data =
      cached(300s, "db", "history")([](const std::string& symbol, const std::string& interval, int limit = 100) {
        return query_candles(symbol, interval, limit);
      });
  // [/db]
  // [indicator]
  auto calculate_macd = cached(3600s, "indicator", "macd")(
      [=](const std::string& symbol, const std::string& interval, int fast = 12, int slow = 26, int signal = 9) {
        auto candles = get_candlesticks(symbol, interval);
        return compute_macd(candles, fast, slow, signal);
      });
  // [/indicator]
  // [session]
  auto get_active_positions =
      cached(1800s, "session", "positions")([](int user_id) { return query_positions(user_id); });
  // [/session]
  check(get_binance_ticker("ETHUSDT") > 0 && get_historical_data("BTCUSDT", "1h").size() == 100 &&
            calculate_macd("BTCUSDT", "1h") < 0 && get_active_positions(123).size() == 2,
        "the four kinds of data");

  // [key_builder]
  auto build_cache_key = [](const std::string& symbol, const std::string& interval) { return symbol + ":" + interval; };

  auto fetch_candlesticks =
      cached(300s, "candles")([](const std::string& symbol, const std::string& interval, int limit = 100) {
        return query_candles(symbol, interval, limit);
      }).key_builder(build_cache_key);
  // [/key_builder]
  check(fetch_candlesticks.key_for("BTCUSDT", "1h", 500) == "candles:BTCUSDT:1h", "the limit is no part of the key");

  // [condition]
  auto get_trades = cached(300s, "trades")([](const std::string& symbol) {
                      // an empty list is returned, not kept
                      return query_trades(symbol);
                    }).condition([](const std::vector<double>& result) { return !result.empty(); });
  // [/condition]
  check(get_trades("NEWUSDT").empty() && !get_trades.peek("NEWUSDT") && get_trades("BTCUSDT").size() == 2, "condition");

  // [manual]
  // With a ttl of its own
  cache_manager.set("key", "value", {.ttl = 600s, .prefix = "custom"});

  // A default for a missing key
  auto found = cache_manager.get_or("key", "default", {.prefix = "custom"});

  // Is it there?
  if (cache_manager.exists("key", {.prefix = "custom"})) {
    std::puts("it is there");
  }

  // How long is it fresh?
  auto remaining = cache_manager.get_ttl("key", {.prefix = "custom"});
  std::printf("fresh for %.0f s\n", remaining->seconds());

  // Remove it
  cache_manager.del("key", {.prefix = "custom"});

  // Remove all that match
  cache_manager.delete_pattern("user:*", {.prefix = "session"});

  // Count
  cache_manager.increment("api_calls", 1, {.prefix = "stats"});
  // [/manual]
  check(found == "value" && !get_user_preferences.peek(123) &&
            cache_manager.get<int>("api_calls", {.prefix = "stats"}) == 1,
        "manual cache management");

  // [symbol]
  using dsta::cache::CacheInvalidator;
  CacheInvalidator invalidator{cache_manager};

  // What has BTCUSDT as a part of its key under api, db and indicator, and what has the tag symbol:BTCUSDT
  invalidator.invalidate_symbol_data("BTCUSDT");
  // [/symbol]
  check(!get_ticker.peek("BTCUSDT") && !calculate_rsi.peek("BTCUSDT") && get_binance_ticker.peek("ETHUSDT"),
        "by symbol");

  // [exchange]
  // The same for an exchange
  invalidator.invalidate_exchange_data("binance");
  // [/exchange]
  check(!get_binance_ticker.peek("ETHUSDT"), "by exchange");

  // [user]
  // At logout: this user's session, exactly
  invalidator.invalidate_user_session(123);
  // [/user]

  // [custom]
  // By patterns of your own
  cache_manager.delete_pattern("api:market:*");
  cache_manager.delete_pattern("indicator:rsi:*");
  // [/custom]

  // [warm]
  using dsta::cache::CacheWarmer;
  CacheWarmer warmer{cache_manager};
  warmer.add_market_data("ticker", get_ticker);
  warmer.add_indicator("rsi", calculate_rsi);
  warmer.add_indicator("macd", calculate_macd, "1h");

  // Every market-data loader for every symbol
  std::vector<std::string> symbols{"BTCUSDT", "ETHUSDT", "BNBUSDT"};
  warmer.warm_market_data(symbols);

  // These indicators
  std::vector<std::string> indicators{"rsi", "macd"};
  warmer.warm_indicators(symbols, indicators);
  // [/warm]
  check(get_ticker.peek("BNBUSDT") && calculate_macd.peek("BNBUSDT", "1h"), "warm");

  // [task]
  auto get_top_trading_symbols = [](int limit) {
    return std::vector<std::string>(static_cast<std::size_t>(limit), "BTCUSDT");
  };
  // The job may run until the warmer ends: what is declared behind the warmer is captured by value
  auto warm_cache = [&warmer, get_top_trading_symbols] {
    auto top_symbols = get_top_trading_symbols(50);
    warmer.warm_market_data(top_symbols);
    warmer.warm_indicators(top_symbols, {"rsi", "macd"});
  };
  warmer.every(45s, warm_cache);
  // [/task]

  // [stats]
  // Counts since the start
  auto stats = cache_manager.get_stats();
  std::puts(stats.to_json().c_str());
  // It begins with {"hits":…,"misses":…,"sets":…,"deletes":…,"total_requests":…,"hit_rate":…

  // Count from zero again
  cache_manager.clear_stats();
  // [/stats]
  check(stats.total_requests == stats.hits + stats.misses && cache_manager.get_stats().hits == 0, "statistics");

  // [info]
  auto get_data_once =
      cached(300s, "api", "data")([](const std::string& symbol) { return fetch_from_exchange(symbol); });

  // Of one function
  auto info = get_data_once.cache_info();

  // Removes its values, and no others
  get_data_once.cache_clear();
  // [/info]
  check(info.prefix == "api" && info.name == "data" && info.hits == 0, "function-level statistics");

  // [health]
  auto check_cache_health = [&]() -> std::map<std::string, std::string> {
    // Writes, reads and removes a value of its own, at the server if there is one
    auto health = dsta::cache::check_health(cache_manager);
    if (health.healthy) return {{"status", "healthy"}, {"backend", health.backend}};
    return {{"status", "unhealthy"}, {"error", health.error}};
  };
  // [/health]
  check(check_cache_health().at("status") == "healthy", "health");

  // [pool]
  dsta::cache::ManagerOptions settings{
      .url = "memory:",  // in a program "redis://redis:6379/0"
      .pool = {.connect_timeout = 5s, .socket_timeout = 5s, .retry_on_timeout = true},
  };
  dsta::cache::CacheManager configured{settings};
  // [/pool]

  // [serialization]
  // Standard types need nothing
  cache_manager.set("key", std::map<std::string, int>{{"a", 1}});

  // The fields of a struct are named once: see fields<Candle> above
  cache_manager.set("key", Candle{1, 2, 0.5, 1.5, 10});
  // [/serialization]
  check(cache_manager.get<Candle>("key")->close == 1.5, "serialization");

  // [prefixes]
  // These name their content
  auto good = cached(60s, "api:binance", "depth");
  auto fine = cached(300s, "db:candlesticks");
  auto best = cached(3600s, "indicator:rsi");

  // These do not
  auto bad = cached(60s, "data");
  auto worse = cached(300s, "stuff");
  // [/prefixes]
  (void)good, (void)fine, (void)best, (void)bad, (void)worse;

  // [failures]
  auto fetch_from_source = [](const std::string& symbol) { return fetch_from_exchange(symbol); };
  auto get_data = [&](const std::string& symbol) {
    // A fault of the cache is a miss, and nothing is thrown: the source is asked
    return cache_manager.get_or_load("data:" + symbol, [=] { return fetch_from_source(symbol); }, {.ttl = 300s});
  };
  // [/failures]
  check(get_data("BTCUSDT") == 64007.5 && cache_manager.exists("data:BTCUSDT"), "graceful failure");

  // [hit_rate]
  // Read the rate yourself
  auto hit_rate = cache_manager.get_stats().hit_rate * 100;

  if (hit_rate < 80) {
    log_warning("the hit rate is down to " + cache_manager.get_stats().hit_rate_text());
  }
  // or be notified
  cache_manager.on_low_hit_rate(
      0.8, [](const dsta::cache::CacheStats& low) { log_warning("the hit rate is down to " + low.hit_rate_text()); });
  // [/hit_rate]

  // [update]
  auto update_candlestick = [&](const std::string& symbol, const std::string& interval, const Candle& candlestick) {
    // The database first
    // then what was made of it
    cache_manager.delete_pattern("db:candles:" + symbol + ":" + interval + "*");
    cache_manager.delete_pattern("indicator:*:" + symbol + ":" + interval + "*");

    return candlestick;
  };
  // [/update]
  (void)get_candlesticks("BTCUSDT", "1h");
  check(update_candlestick("BTCUSDT", "1h", {}).open == 0 && !get_candlesticks.peek("BTCUSDT", "1h") &&
            !calculate_macd.peek("BTCUSDT", "1h") && calculate_macd.peek("BNBUSDT", "1h"),
        "invalidate on updates");

  // [pre_market]
  auto get_active_symbols = [] { return std::vector<std::string>{"BTCUSDT", "ETHUSDT"}; };
  auto pre_market_cache_warming = [&, get_active_symbols] {
    for (const std::string& symbol : get_active_symbols()) {
      get_ticker.refresh(symbol);  // a call would return what is cached
      get_candlesticks.refresh(symbol, "1h");
      calculate_rsi.refresh(symbol);
    }
  };
  warmer.every_day({.at = 9h + 30min - 30min, .weekdays_only = true}, pre_market_cache_warming);  // .zone: default UTC
  // [/pre_market]
  pre_market_cache_warming();
  check(get_candlesticks.peek("ETHUSDT", "1h").has_value(), "predictable traffic");

  // [tests]
  // With GoogleTest: struct CacheTest : ::testing::Test, dsta::cache::testing::CleanCache {};
  using dsta::cache::testing::CleanCache;

  auto test_cache_set_get = [](CleanCache& clean) {
    clean.cache.set("test_key", "test_value", {.ttl = 60s});
    check(clean.cache.get("test_key") == "test_value", "set and get");
  };

  auto test_cache_expiration = [](CleanCache& clean) {
    clean.cache.set("test_key", "test_value", {.ttl = 1s});
    check(clean.cache.get("test_key") == "test_value", "not yet expired");

    clean.clock->advance(2s);  // nobody sleeps
    check(clean.cache.get("test_key") == std::nullopt, "expired");
  };

  auto test_cached_decorator = [](CleanCache& clean) {
    int call_count = 0;

    auto expensive_function = clean.cache.cached(60s, "test")([&](int x) {
      call_count += 1;
      return x * 2;
    });

    // A miss
    auto result1 = expensive_function(5);
    check(result1 == 10 && call_count == 1, "called");

    // A hit
    auto result2 = expensive_function(5);
    check(result2 == 10 && call_count == 1, "not called again");
  };
  // [/tests]
  for (const auto& test : std::vector<std::function<void(CleanCache&)>>{test_cache_set_get, test_cache_expiration,
                                                                        test_cached_decorator}) {
    CleanCache clean;
    test(clean);
  }

  // [ping]
  // As PING does, and more
  check(dsta::cache::check_health(cache_manager).healthy, "the server answers");
  // [/ping]
}
