// expect: takes another number of arguments
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, price);
#ifdef DSTA_CONTROL
  (void)f("BTCUSDT");
#else
  (void)f("BTCUSDT", 14);
#endif
}
