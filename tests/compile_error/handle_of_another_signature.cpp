// expect: other parameters or another result
#include <dsta/cache.hpp>

#ifdef DSTA_CONTROL
double price(const std::string& symbol);
#else
float price(const std::string& symbol);
#endif

struct Service {
  explicit Service(dsta::cache::CacheManager& cache) : price_(cache.cached({}, price)) {}
  dsta::cache::cached<double(const std::string&)> price_;
};
