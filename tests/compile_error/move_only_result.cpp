// expect: cannot be copied
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
std::shared_ptr<const std::string> fetch_book(int depth);
#else
std::unique_ptr<std::string> fetch_book(int depth);
#endif

std::size_t wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, fetch_book);
  return f(10)->size();
}
