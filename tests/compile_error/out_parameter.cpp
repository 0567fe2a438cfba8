// expect: takes a non-const reference
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
bool find_price(const std::string& symbol, double price);
#else
bool find_price(const std::string& symbol, double& price);
#endif

bool wrap(dsta::cache::CacheManager& cache) {
  double price = 0;
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, find_price);
  return f("BTCUSDT", price);
}
