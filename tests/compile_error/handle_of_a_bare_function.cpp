// expect: not to a bare function
#include <dsta/cache.hpp>

double price(const std::string& symbol);

double use([[maybe_unused]] dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  const dsta::cache::cached<double(const std::string&)> handle = cache.cached({}, price);
#else
  const dsta::cache::cached<double(const std::string&)> handle = price;
#endif
  return handle("BTCUSDT");
}
