// expect: spell them out
#include <dsta/cache.hpp>

double use(dsta::cache::CacheManager& cache) {
#ifdef DSTA_CONTROL
  const auto length = [](const std::string& text) { return static_cast<double>(text.size()); };
#else
  const auto length = [](const auto& text) { return static_cast<double>(text.size()); };
#endif
  const dsta::cache::cached<double(const std::string&)> handle = cache.cached({}, length);
  return handle("BTCUSDT");
}
