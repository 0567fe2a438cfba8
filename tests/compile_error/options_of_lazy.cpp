// expect: with other options
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

using namespace std::chrono_literals;

double fetch(const std::string& symbol);

#ifdef DSTA_CONTROL
const auto price =
    dsta::cache::lazy([] { return dsta::cache::cache_manager().cached<fetch>({.ttl = 60s, .prefix = "api"}); });
#else
const auto price = dsta::cache::lazy<fetch>({.ttl = 60s, .prefix = "api"});
#endif
double use() { return price("BTCUSDT") + price->refresh("BTCUSDT"); }
