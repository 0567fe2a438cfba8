// expect: the function goes into angle brackets
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

using namespace std::chrono_literals;

double fetch(const std::string& symbol);

#ifdef DSTA_CONTROL
inline constexpr auto price = dsta::cache::lazy<fetch>(60s);
#else
inline constexpr auto price = dsta::cache::lazy(fetch, 60s);
#endif
double use() { return price("BTCUSDT") + price->refresh("BTCUSDT"); }
