// expect: takes another number of arguments
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, rsi);
#ifdef DSTA_CONTROL
  (void)f.peek("BTCUSDT", 14);
#else
  (void)f.peek("BTCUSDT");
#endif
}
