// expect: return a std::shared_ptr<const T>
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
std::shared_ptr<const std::string> order(int id);
#else
std::shared_ptr<std::string> order(int id);
#endif

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  auto f = cache.cached({.ttl = 60s}, order);
#else
  auto f = cache.cached({.ttl = 60s}, order);
#endif
}
