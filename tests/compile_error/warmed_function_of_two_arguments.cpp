// expect: a warmed function is called with a symbol and the arguments given after it
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period);

void use(dsta::cache::CacheManager& cache) {
  dsta::cache::CacheWarmer warmer{cache};
#ifdef DSTA_CONTROL
  warmer.add_indicator("rsi", cache.cached({.ttl = 60s}, rsi), 14);
#else
  warmer.add_indicator("rsi", cache.cached({.ttl = 60s}, rsi));
#endif
}
