// expect: second pair of parentheses
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

double use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  auto f = cache.cached({.prefix = "api"})(price);
#else
  auto f = cache.cached("api")(price);
#endif
  return f("BTCUSDT");
}
