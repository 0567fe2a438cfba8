// expect: a hook is chained where the wrapper is made
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  auto f =
      cache.cached({.ttl = 60s, .prefix = "api"}, price).key_builder([](const std::string& symbol) { return symbol; });
  (void)f("BTCUSDT");
#else
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, price);
  f.key_builder([](const std::string& symbol) { return symbol; });
#endif
}
