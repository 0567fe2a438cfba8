// expect: a reflected type needs #include <dsta/cache/pfr.hpp>
// lines: 55
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Quote {
  double price;
};
#ifdef DSTA_CONTROL
template <>
inline constexpr auto dsta::cache::fields<Quote> = dsta::cache::members<&Quote::price>;
#else
template <>
inline constexpr bool dsta::cache::reflected<Quote> = true;
#endif

Quote fetch(std::string_view symbol);

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch);
  return f("BTCUSDT").price;
}
