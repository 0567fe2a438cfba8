// expect: a handle or function pointer has no default arguments
#include <dsta/cache.hpp>

double use(dsta::cache::CacheManager& cache) {
  const dsta::cache::cached<double(int, int)> handle =
      cache.cached({}, [](int symbol, int limit = 100) { return static_cast<double>(symbol) + limit; });
#ifdef DSTA_CONTROL
  return handle(1, 100);
#else
  return handle(1);
#endif
}
