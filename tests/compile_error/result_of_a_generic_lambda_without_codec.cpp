// expect: no codec for the function's result
// lines: 35
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Quote {
#ifndef DSTA_CONTROL
  std::string symbol;
#endif
  double price;
};

#ifdef DSTA_CONTROL
template <>
inline constexpr bool dsta::cache::trivially_codable<Quote> = true;
#endif

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, [](const auto&) { return Quote{}; });
  return f("BTCUSDT").price;
}
