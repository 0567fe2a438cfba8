// expect: returns void
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
int report(int x);
#else
void report(int x);
#endif

void wrap(dsta::cache::CacheManager& cache) { auto f = cache.cached({.ttl = 300s, .prefix = "api"}, report); }
