// expect: a wrapper is never empty
#include <dsta/cache.hpp>

struct Service {
#ifdef DSTA_CONTROL
  std::optional<dsta::cache::cached<double(const std::string&)>> price;
#else
  dsta::cache::cached<double(const std::string&)> price;
#endif
  Service() {}
};
