// expect: options are in braces
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  auto f = cache.cached({.ttl = 60s}, price);
#else
  auto f = cache.cached(60s, price);
#endif
}
