// expect: takes a pointer
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
int sum(const std::vector<int>& values, std::size_t count);
#else
int sum(const int* values, std::size_t count);
#endif

int wrap(dsta::cache::CacheManager& cache) {
  const std::vector<int> values = {1, 2, 3};
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, sum);
#ifdef DSTA_CONTROL
  return f(values, 3);
#else
  return f(values.data(), 3);
#endif
}
