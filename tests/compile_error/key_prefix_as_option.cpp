// expect: write .prefix =
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, price);
#else
  auto f = cache.cached({.ttl = 60s, .key_prefix = "api"}, price);
#endif
}
