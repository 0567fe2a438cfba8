// expect: returns a view
#include <dsta/cache.hpp>
#include <span>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
std::vector<unsigned char> source(int x);
#else
std::span<const unsigned char> source(int x);
#endif

std::size_t wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, source);
  return f(14).size();
}
