// expect: std::chrono duration
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

void store(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  cache.set("k", "v", {.ttl = 600s, .prefix = "custom"});
#else
  cache.set("k", "v", {.ttl = 600, .prefix = "custom"});
#endif
}
