// expect: a value that converts to its result
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, price);
#ifdef DSTA_CONTROL
  f.put("BTCUSDT", 64000.5);
#else
  f.put("BTCUSDT", "64000.5");
#endif
}
