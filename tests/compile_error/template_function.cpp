// expect: this is not one function
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

template <class T>
double price(const T& symbol);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, [](const std::string& symbol) { return price(symbol); });
#else
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, price);
#endif
}
