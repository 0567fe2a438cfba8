// expect: get takes no default: write get_or
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  (void)cache.get_or("k", "default");
#else
  (void)cache.get("k", "default");
#endif
}
