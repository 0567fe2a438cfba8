// expect: wrap a lambda that has them
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period = 14);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, rsi);
#ifdef DSTA_CONTROL
  (void)f("BTCUSDT", 14);
#else
  (void)f("BTCUSDT");
#endif
}
