// One manager for the whole program, made from the environment: DSTA_CACHE_URL, else REDIS_URL, else in-process.
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

#include <string>

#include "check.hpp"

using namespace std::chrono_literals;

// [global]
using dsta::cache::cache_manager;
using dsta::cache::cached;

int calls = 0;
double fetch_price(const std::string&) { return ++calls, 64000.5; }

inline constexpr auto price = dsta::cache::lazy<fetch_price>(60s, "api");  // wrapped when first used
// [/global]

// [lazy]
inline constexpr auto checked_price = dsta::cache::lazy([] {
  return cache_manager()
      .cached({.ttl = 60s, .prefix = "checked", .jitter = 0.1}, fetch_price)
      .condition([](double value) { return value > 0; });
});
// [/lazy]

int main() {
  check(price("BTCUSDT") == 64000.5 && price("BTCUSDT") == 64000.5 && calls == 1, "called like the function");
  check(price->key_for("BTCUSDT") == "api:fetch_price:BTCUSDT", "-> is the wrapper; its name is the function's");
  check(checked_price("BTCUSDT") == 64000.5 && checked_price->cache_info().sets == 1, "any wrapper can be made so");
  auto quote = cached(30s, "quote")(fetch_price);  // a decorator, where it runs after main() has begun
  check(quote("BTCUSDT") == 64000.5, "the decorator's form");
  auto average = cached(dsta::cache::EntryOptions{.ttl = 1h, .prefix = "average", .jitter = 0.1})(
      [](const std::string& symbol) { return price(symbol) / 2; });
  check(average("BTCUSDT") == 32000.25, "with all options");
  cache_manager().set("k", "v");
  check(cache_manager().get("k") == "v", "and the manager itself");

  // [from_env]
  auto cache = dsta::cache::CacheManager::from_env({.default_ttl = 10min});  // a manager of one's own, same rule
  // [/from_env]
  check(!cache.get("k") && cache.options().default_ttl == dsta::cache::OptionalDuration(10min),
        "managers share nothing");
}
