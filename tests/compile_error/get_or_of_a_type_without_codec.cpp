// expect: no codec for this type
// lines: 35
#include <dsta/cache.hpp>

struct Quote {
  std::string symbol;
  double price;
};

double read(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  return cache.get_or("k", 0.0);
#else
  return cache.get_or("k", Quote{}).price;
#endif
}
