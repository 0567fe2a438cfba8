// expect: no codec for the function's result
#include <dsta/cache.hpp>

struct Quote {
  std::string symbol;
  double price;
};

double read(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  return cache.get_or_load("k", [] { return 1.5; });
#else
  const auto quote = cache.get_or_load("k", [] { return Quote{"BTCUSDT", 1.5}; });
  return quote.price;
#endif
}
