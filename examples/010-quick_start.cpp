// The shortest program: a function with a memory, and a value by key.
// [program]
#include <dsta/cache.hpp>

#include <iostream>
#include <string>

using namespace std::chrono_literals;

int fetches = 0;
double fetch_price(const std::string& symbol) {  // slow: asks the exchange
  ++fetches;
  return symbol == "BTCUSDT" ? 64000.5 : 3000.25;
}

int main() {
  dsta::cache::CacheManager cache;  // in this process, 64 MiB

  auto price = cache.cached({.ttl = 60s, .prefix = "api", .name = "price"}, fetch_price);
  std::cout << price("BTCUSDT") << '\n';  // calls fetch_price
  std::cout << price("BTCUSDT") << '\n';  // from the cache, for 60 s

  cache.set("user:1", "Ada", {.ttl = 30min, .prefix = "session"});
  std::cout << cache.get("user:1", {.prefix = "session"}).value_or("nobody") << '\n';

  std::cout << cache.get_stats().hit_rate_text() << " of the requests were hits\n";
  return fetches == 1 ? 0 : 1;
}
// [/program]
