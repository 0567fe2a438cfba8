// expect: get takes no default: write get_or
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  (void)cache.get_or("k", 0.5, {.prefix = "custom"});
#else
  (void)cache.get<double>("k", 0.5, {.prefix = "custom"});
#endif
}
