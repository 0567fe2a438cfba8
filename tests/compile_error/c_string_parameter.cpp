// expect: std::string or std::string_view for text
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
double fetch_price(std::string_view symbol);
#else
double fetch_price(const char* symbol);
#endif

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch_price);
  return f("BTCUSDT");
}
