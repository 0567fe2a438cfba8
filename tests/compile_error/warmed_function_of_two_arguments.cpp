// expect: must be callable with a symbol alone
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period);

void use(dsta::cache::CacheManager& cache) {
  dsta::cache::CacheWarmer warmer{cache};
#ifdef DSTA_CONTROL
  warmer.add_indicator("rsi", cache.cached({.ttl = 60s}, [](const std::string& symbol) { return rsi(symbol, 14); }));
#else
  warmer.add_indicator("rsi", cache.cached({.ttl = 60s}, rsi));
#endif
}
