// expect: key_builder takes a function of the wrapped function's parameters
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, rsi).key_builder([](const std::string& symbol, int) {
    return symbol;
  });
#else
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, rsi).key_builder([](int, const std::string& symbol) {
    return symbol;
  });
#endif
}
