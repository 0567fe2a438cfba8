// expect: such as std::vector<std::string>
#include <dsta/cache.hpp>

#include <array>
#include <span>
#include <variant>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
using Text = std::string;
#else
using Text = const char*;
#endif

double total(const std::array<Text, 2>& symbols, std::span<const Text> exchanges, std::variant<int, Text> depth);

double wrap(dsta::cache::CacheManager& cache) {
  const std::array<Text, 1> exchanges = {"binance"};
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, total);
  return f(std::array<Text, 2>{"BTCUSDT", "ETHUSDT"}, exchanges, 5);
}
