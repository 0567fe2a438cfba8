// expect: bulk_loader takes a function of the missing arguments
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

double price(const std::string& symbol);

void use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, price).bulk_loader([](const std::vector<std::string>& symbols) {
    return std::vector<double>(symbols.size());
  });
#else
  (void)cache.cached({.ttl = 60s, .prefix = "api"}, price).bulk_loader([](const std::string&) {
    return std::vector<double>(1);
  });
#endif
}
