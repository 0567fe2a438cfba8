// expect: does not convert implicitly to its parameter
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

int wait_for(std::chrono::seconds time);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, wait_for);
#ifdef DSTA_CONTROL
  (void)f(60s);
#else
  (void)f(60);
#endif
}
