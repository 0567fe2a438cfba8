// expect: second pair of parentheses
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

double use() {
#ifdef DSTA_CONTROL
  auto f = dsta::cache::cached(60s)(price);
#else
  auto f = dsta::cache::cached(price);
#endif
  return f("BTCUSDT");
}
