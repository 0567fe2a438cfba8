// expect: needs a default constructor
// lines: 55
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Quote {
#ifdef DSTA_CONTROL
  Quote() = default;
#endif
  explicit Quote(double value) : price(value) {}
  double price = 0;
};
template <>
inline constexpr auto dsta::cache::fields<Quote> = dsta::cache::members<&Quote::price>;

Quote fetch(std::string_view symbol);

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch);
  return f("BTCUSDT").price;
}
