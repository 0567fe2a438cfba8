// expect: the function takes another number of arguments
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

using namespace std::chrono_literals;

double fetch_price(const std::string& symbol);
inline constexpr auto price = dsta::cache::lazy<fetch_price>(60s, "api");

double use() {
#ifdef DSTA_CONTROL
  return price("BTCUSDT");
#else
  return price();
#endif
}
