// expect: no codec for this type
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
