// Everything a wrapped function can do.
#include <dsta/cache.hpp>

#include <string>
#include <utility>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;
using Prices = std::vector<double>;

int calls = 0;
Prices fetch_candles(const std::string& symbol, int limit) {
  ++calls;
  return symbol == "EMPTY" ? Prices{} : Prices(static_cast<std::size_t>(limit), 1.5);
}
double fetch_price(const std::string&) { return ++calls; }

int main() {
  dsta::cache::CacheManager cache;

  // [wrap]
  auto price = cache.cached({.ttl = 60s, .prefix = "api", .name = "price"}, fetch_price);
  auto same =
      cache.cached<fetch_price>({.ttl = 60s, .prefix = "feed"});  // its name is the function's: feed:fetch_price
  auto also = cache.cached(60s, "api", "also")(fetch_price);      // as a decorator: ttl, prefix, name
  // [/wrap]
  check(same.key_for("A") == "feed:fetch_price:A" && also.key_for("A") == "api:also:A",
        "a key is prefix:name:argument");

  // [call]
  check(price("BTCUSDT") == 1 && price("BTCUSDT") == 1, "equal arguments: the function ran once");
  check(price(std::string("BTCUSDT")) == 1, "arguments are compared as the parameter's type: std::string");
  check(price.refresh("BTCUSDT") == 2 && price("BTCUSDT") == 2, "refresh runs it now and stores the result");
  check(price.peek("BTCUSDT") == 2 && !price.peek("ETHUSDT"), "peek reads and never runs it");
  check(price.put("ETHUSDT", 3000.0) && price("ETHUSDT") == 3000, "put stores a value obtained elsewhere");
  check(price.invalidate("ETHUSDT") && !price.invalidate("ETHUSDT"), "invalidate: true if there was a value");
  check(cache.get<double>(price.key_for("BTCUSDT")) == 2.0, "key_for returns the key for manual calls");
  // [/call]

  check(price.key_for(std::string(1000, 'x')).size() == dsta::cache::kReadableKeyBytes, "long keys end in a hash");

  // [many]
  const auto prices = price.many({"BTCUSDT", "ETHUSDT", "BTCUSDT"});
  check(prices.size() == 3 && prices[0] == prices[2].value(),
        "one result per item, in order; equal items are loaded once");
  for (const dsta::cache::Outcome<double>& one : prices) check(one.has_value(), "a value, or error() says why not");
  // [/many]

  // [shared]
  auto candles = cache.cached({.ttl = 300s, .prefix = "candles"}, fetch_candles)
                     .key_builder([](const std::string& symbol, int) { return symbol; })  // the limit is left out
                     .condition([](const Prices& result) { return !result.empty(); });    // empty: not stored
  const std::shared_ptr<const Prices> held = candles.shared("BTCUSDT", 500);              // not copied
  // [/shared]
  check(held == candles.shared("BTCUSDT", 5), "one vector, however many hold it");
  check(candles.key_for("BTCUSDT", 500) == "candles:BTCUSDT", "the key builder's key");
  check(candles("EMPTY", 1).empty() && !candles.peek("EMPTY", 1), "condition: returned, but not stored");

  // [info]
  const dsta::cache::FunctionInfo info = candles.cache_info();
  check(info.prefix == "candles" && info.hits == 1 && info.misses == 2 && info.sets == 1, "cache_info counts");
  candles.cache_clear();
  check(!candles.peek("BTCUSDT", 500) && price.peek("BTCUSDT"), "cache_clear removes this function's values only");
  // [/info]
}
