// expect: such as std::vector<std::string>
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
using Text = std::string;
#else
using Text = std::string_view;
#endif

double total(const std::vector<Text>& symbols, std::optional<std::string_view> exchange);

double wrap(dsta::cache::CacheManager& cache) {
  const std::vector<Text> symbols = {"BTCUSDT", "ETHUSDT"};
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, total);
  return f(symbols, "binance");
}
