// expect: insert_or_assign
// lines: 40
#include <map>

#include <dsta/cache.hpp>

double price(const std::string& symbol);

void use(dsta::cache::CacheManager& cache) {
  std::map<std::string, dsta::cache::cached<double(const std::string&)>> sources;
#ifdef DSTA_CONTROL
  sources.insert_or_assign("price", cache.cached({}, price));
#else
  sources["price"] = cache.cached({}, price);
#endif
}
