// expect: would be that of its base
// lines: 45
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Listing : std::string {
#ifndef DSTA_CONTROL
  int market = 0;
#endif
};

double price(const Listing& listing);

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, price);
  return f(Listing{});
}
