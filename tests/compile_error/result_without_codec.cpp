// expect: no codec for the function's result
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Quote {
  std::string symbol;
  double price;
};

#ifdef DSTA_CONTROL
template <>
struct dsta::cache::codec<Quote> {
  static constexpr std::string_view name = "quote/1";
  static void encode(const Quote& value, std::string& out);
  static std::optional<Quote> decode(std::string_view bytes);
};
#endif

Quote fetch(std::string_view symbol);

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch);
  return f("BTCUSDT").price;
}
