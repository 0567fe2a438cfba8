// expect: check the order of the arguments
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, rsi);
#ifdef DSTA_CONTROL
  (void)f("BTCUSDT", 14);
#else
  (void)f(14, "BTCUSDT");
#endif
}
