// expect: a pointer cannot be part of a cache key
// lines: 45
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

int wrap(dsta::cache::CacheManager& cache) {
  const int x = 1;
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, [](const auto&) { return 1; });
#ifdef DSTA_CONTROL
  return f(x);
#else
  return f(&x);
#endif
}
