// expect: pass what it takes
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

template <class T>
concept Number = std::is_arithmetic_v<T>;

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, [](Number auto n) { return n; });
#ifdef DSTA_CONTROL
  f.invalidate(7);
#else
  f.invalidate("7");
#endif
}
