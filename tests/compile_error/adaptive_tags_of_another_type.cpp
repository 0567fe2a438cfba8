// expect: adaptive_tags takes a function from the result to a std::vector<std::string>
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

std::vector<std::string> names(int market);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, names).adaptive_tags([](const std::vector<std::string>& all) {
    return all;
  });
#else
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, names).adaptive_tags([](const std::vector<std::string>& all) {
    return all.front();
  });
#endif
}
