// expect: after the ttl or the options
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

double use() {
#ifdef DSTA_CONTROL
  auto f = dsta::cache::cached(60s, "api")(price);
#else
  auto f = dsta::cache::cached("api", 60s)(price);
#endif
  return f("BTCUSDT");
}
