// expect: condition takes a predicate of the function's result
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

std::vector<std::string> names(int market);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, names).condition([](const std::vector<std::string>& all) {
    return !all.empty();
  });
#else
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, names).condition([](const std::string& all) {
    return !all.empty();
  });
#endif
}
