// expect: returns a raw pointer
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
std::shared_ptr<const int> source(int x);
#else
const int* source(int x);
#endif

int wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, source);
  const auto value = f(14);
  return value == f(14) ? 1 : 0;
}
