// expect: the function takes a parameter that no copy can be passed for
#include <dsta/cache.hpp>

#include <memory>
#include <span>

auto use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  return cache.cached({}, [](std::span<const int> n) { return static_cast<int>(n.size()); });
#else
  return cache.cached({}, [](std::unique_ptr<int> n) { return static_cast<int>(sizeof n); });
#endif
}
