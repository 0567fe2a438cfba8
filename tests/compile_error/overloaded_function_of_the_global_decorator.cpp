// expect: this is not one function
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);
double price(int instrument);

void use() {
#ifdef DSTA_CONTROL
  auto f = dsta::cache::cached(60s, "api")([](const std::string& symbol) { return price(symbol); });
#else
  auto f = dsta::cache::cached(60s, "api")(price);
#endif
}
