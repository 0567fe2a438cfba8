// expect: does not convert implicitly to its parameter
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, rsi);
#ifdef DSTA_CONTROL
  f.invalidate_matching("BTCUSDT");
#else
  f.invalidate_matching(14);
#endif
}
