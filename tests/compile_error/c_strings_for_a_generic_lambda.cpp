// expect: such as std::vector<std::string>
// lines: 45
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
using Text = std::string;
#else
using Text = const char*;
#endif

std::size_t wrap(dsta::cache::CacheManager& cache) {
  const std::vector<Text> symbols = {"BTCUSDT", "ETHUSDT"};
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, [](const auto& texts, auto) { return texts.size(); });
  return f(symbols, std::optional<std::string_view>("binance"));
}
