// expect: a warmer's loader is called with a symbol
#include <dsta/cache.hpp>

void use(dsta::cache::CacheManager& cache) {
  dsta::cache::CacheWarmer warmer{cache};
#ifdef DSTA_CONTROL
  warmer.add_market_data("ticker", [](const std::string&) {});
#else
  warmer.add_market_data("ticker", [](int) {});
#endif
}
