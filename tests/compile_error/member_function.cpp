// expect: wrap a lambda that calls it
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Exchange {
  double price(std::string_view symbol) const;
};

double wrap(dsta::cache::CacheManager& cache, const Exchange& exchange) {
#ifdef DSTA_CONTROL
  auto f =
      cache.cached({.ttl = 300s, .prefix = "api"}, [&](std::string_view symbol) { return exchange.price(symbol); });
  return f("BTCUSDT");
#else
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, &Exchange::price);
  return f(exchange, "BTCUSDT");
#endif
}
