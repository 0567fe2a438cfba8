// expect: no codec for this type
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Quote {
  std::string symbol;
  double price;
};

void store(dsta::cache::CacheManager& cache, const Quote& quote) {
#ifdef DSTA_CONTROL
  cache.set("k", quote.symbol, {.ttl = 60s});
#else
  cache.set("k", quote, {.ttl = 60s});
#endif
}
