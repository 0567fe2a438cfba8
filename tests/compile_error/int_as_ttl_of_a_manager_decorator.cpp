// expect: std::chrono duration
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

int twice(int x);

void wrap(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  auto f = cache.cached(300s, "api")(twice);
#else
  auto f = cache.cached(300, "api")(twice);
#endif
}
