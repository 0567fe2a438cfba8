// Forgetting: by pattern, by symbol, exchange and user, by tag.
#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

#include <string>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

int calls = 0;
int count(const std::string&, int) { return ++calls; }

int main() {
  dsta::cache::CacheManager cache{{.executor = std::make_shared<dsta::cache::testing::InlineExecutor>()}};

  // [patterns]
  cache.set("BTCUSDT:1m", 1, {.prefix = "candles"});
  cache.set("BTCUSDT:1h", 2, {.prefix = "candles"});
  cache.set("ETHUSDT:1h", 3, {.prefix = "candles"});
  check(cache.delete_pattern("candles:BTC*:1[mh]") == 2, "a glob over the whole key");
  check(cache.delete_pattern("*:1?", {.prefix = "candles"}) == 1, "or over what follows the prefix");
  // [/patterns]

  // [matching]
  auto trades = cache.cached({.ttl = 1h, .prefix = "trades"}, count);
  trades("BTC:USDT", 1), trades("BTC:USDT", 2), trades("ETH:USDT", 1);
  check(trades.invalidate_matching("BTC:USDT") == 2, "all calls with this first argument");
  using dsta::cache::glob_escape, dsta::cache::key_part;
  check(cache.delete_pattern("trades:" + glob_escape(key_part("ETH:USDT")) + ":*") == 1, "the same, by key");
  check(trades.invalidate_matching() == 0, "no call is left");
  // [/matching]

  // [trade]
  dsta::cache::CacheInvalidator invalidator{cache};
  cache.set("ticker:BTCUSDT", 1, {.prefix = "api:binance"});
  cache.set("rsi:BTCUSDT", 2, {.prefix = "indicator"});
  cache.set("123", "dark", {.prefix = "session"});
  cache.set("1234", "light", {.prefix = "session"});
  check(invalidator.invalidate_symbol_data("BTCUSDT") == 2, "every api:, db: and indicator: key of which it is a part");
  check(invalidator.invalidate_exchange_data("binance") == 0, "the one key of binance went with its symbol");
  check(invalidator.invalidate_user_session(123) == 1 && cache.exists("session:1234"),
        "never the session of user 1234");
  check(invalidator.invalidate_pattern("session:*") == 1, "the same as delete_pattern");
  // [/trade]

  // [two_symbols]
  dsta::cache::CacheManager market;
  auto spread = market.cached({.ttl = 60s, .prefix = "indicator", .tags = {"symbol:{0}", "symbol:{1}"}},
                              [](const std::string& one, const std::string& other) { return one + other; });
  spread("BTCUSDT", "ETHUSDT");
  const auto removed = dsta::cache::CacheInvalidator(market).invalidate_symbol_data("ETHUSDT");
  check(removed == 0, "every function under the prefixes names the tag: no pattern was needed");
  check(!spread.peek("BTCUSDT", "ETHUSDT"), "invalidated by its second symbol, which has its own tag");
  // [/two_symbols]

  spread("BTCUSDT", "ETHUSDT");
  // [tags_only]
  // Whatever any process of this space caches under api:, db:, indicator: and session: names symbol:, exchange:, user:.
  dsta::cache::CacheInvalidator by_tag{market, {.tags_only = true}};
  check(by_tag.invalidate_symbol_data("BTCUSDT") == 0, "constant cost; entries invalidated by tag are not counted");
  // [/tags_only]
  check(!spread.peek("BTCUSDT", "ETHUSDT"), "gone by its first symbol");

  // [tags]
  auto candles = cache.cached({.ttl = 1h, .prefix = "history", .tags = {"candles", "symbol:{0}"}}, count);
  candles("BTCUSDT", 500), candles("ETHUSDT", 500);
  cache.invalidate_tag("symbol:BTCUSDT");  // {0} is the first argument
  check(!candles.peek("BTCUSDT", 500) && candles.peek("ETHUSDT", 500), "one symbol's candles are gone");
  cache.invalidate_tag("candles");
  check(!candles.peek("ETHUSDT", 500), "all candles are gone, at constant cost");
  cache.set("AAPL", 190.5, {.tags = {"sector:tech"}});  // manual entries have tags too
  // [/tags]
  cache.invalidate_tag("sector:tech");
  check(!cache.exists("AAPL"), "a manual entry went by its tag");

  // [soft]
  auto quote = cache.cached({.ttl = 60s, .prefix = "quote", .tags = {"quotes"}, .stale_for = 10min}, count);
  const int old = quote("BTCUSDT", 1);
  cache.invalidate_tag("quotes", dsta::cache::TagMode::expire);
  check(quote("BTCUSDT", 1) == old, "expired, not removed: served while it is reloaded");
  check(quote("BTCUSDT", 1) == old + 1, "the new value");
  // [/soft]

  // [adaptive_tags]
  auto positions =
      cache
          .cached({.ttl = 60s, .prefix = "positions"},
                  [](int user) { return user == 1 ? std::string("BTCUSDT") : std::string("ETHUSDT"); })
          .adaptive_tags([](const std::string& symbol) { return std::vector<std::string>{"symbol:" + symbol}; });
  positions(1), positions(2);
  cache.invalidate_tag("symbol:ETHUSDT");
  check(positions.peek(1) && !positions.peek(2), "tags that depend on the value");
  // [/adaptive_tags]
}
