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

auto& price() {  // wrapped when first used: a namespace-scope object would read the environment before main
  static auto wrapper = cached(60s, "api", "price")(fetch_price);
  return wrapper;
}
// [/global]

int main() {
  check(price()("BTCUSDT") == 64000.5 && price()("BTCUSDT") == 64000.5 && calls == 1, "the decorator's form");
  auto average = cached(dsta::cache::EntryOptions{.ttl = 1h, .prefix = "average", .jitter = 0.1})(
      [](const std::string& symbol) { return price()(symbol) / 2; });
  check(average("BTCUSDT") == 32000.25, "with all options");
  cache_manager().set("k", "v");
  check(cache_manager().get("k") == "v", "and the manager itself");

  // [from_env]
  auto cache = dsta::cache::CacheManager::from_env({.default_ttl = 10min});  // a manager of one's own, same rule
  // [/from_env]
  check(!cache.get("k") && cache.options().default_ttl == dsta::cache::OptionalDuration(10min),
        "managers share nothing");
}
