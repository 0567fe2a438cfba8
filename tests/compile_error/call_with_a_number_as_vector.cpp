// expect: does not convert implicitly to its parameter
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

int sum(const std::vector<int>& values);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, sum);
#ifdef DSTA_CONTROL
  (void)f({1, 2});
#else
  (void)f(5);
#endif
}
