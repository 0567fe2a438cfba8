// expect: adaptive_ttl takes a function from the result to a std::chrono duration
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

std::vector<std::string> names(int market);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, names).adaptive_ttl([](const std::vector<std::string>&) {
    return 5s;
  });
#else
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, names).adaptive_ttl([](const std::vector<std::string>&) {
    return "5s";
  });
#endif
}
