// expect: a field of this type has no binary codec
// lines: 55
#include <dsta/cache.hpp>

#include <vector>

struct Handle {
  int number;
};
struct Quote {
  double price;
  std::vector<Handle> handles;
};
template <>
inline constexpr auto dsta::cache::fields<Quote> = dsta::cache::members<&Quote::price, &Quote::handles>;
#ifdef DSTA_CONTROL
template <>
inline constexpr auto dsta::cache::fields<Handle> = dsta::cache::members<&Handle::number>;
#endif

bool set(dsta::cache::CacheManager& cache, const std::vector<Quote>& quotes) {
  return cache.set("quotes", quotes) && cache.get<std::vector<Quote>>("quotes").has_value();
}
