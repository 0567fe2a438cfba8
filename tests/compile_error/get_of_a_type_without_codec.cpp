// expect: no codec for this type
#include <dsta/cache.hpp>

struct Quote {
  std::string symbol;
  double price;
};

bool read(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  const auto found = cache.get<double>("k");
#else
  const auto found = cache.get<Quote>("k");
#endif
  return found.has_value();
}
