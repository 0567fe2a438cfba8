// expect: a field of this type has no binary codec
// lines: 55
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Source;
struct Quote {
  double price;
#ifdef DSTA_CONTROL
  int source;
#else
  Source* source;
#endif
};
template <>
inline constexpr auto dsta::cache::fields<Quote> = dsta::cache::members<&Quote::price, &Quote::source>;

Quote fetch(std::string_view symbol);

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch);
  return f("BTCUSDT").price;
}
