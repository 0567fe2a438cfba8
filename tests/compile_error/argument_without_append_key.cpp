// expect: append_key(dsta::cache::KeyWriter& key
// lines: 45
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Pair {
  std::string base, quote;
};

#ifdef DSTA_CONTROL
void append_key(dsta::cache::KeyWriter& key, const Pair& pair) { key(pair.base, pair.quote); }
#endif

double fetch_price(const Pair& pair);

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch_price);
  return f(Pair{"BTC", "USDT"});
}
