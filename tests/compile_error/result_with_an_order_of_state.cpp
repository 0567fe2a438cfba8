// expect: no codec for the function's result
#include <dsta/cache.hpp>

#include <map>

using namespace std::chrono_literals;

bool descending(int a, int b);

#ifdef DSTA_CONTROL
using Book = std::map<int, double>;
#else
using Book = std::map<int, double, bool (*)(int, int)>;  // no reader could know the function
#endif

Book fetch(std::string_view symbol);

std::size_t wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch);
  return f("BTCUSDT").size();
}
