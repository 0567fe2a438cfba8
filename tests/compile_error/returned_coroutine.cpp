// expect: returns a coroutine
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Task {
  struct promise_type;
};

#ifdef DSTA_CONTROL
int source(int x);
#else
Task source(int x);
#endif

void wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, source);
  f.invalidate(14);
  f(14);
}
