// expect: returns a view
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
std::optional<std::string> find_name(int user);
#else
std::optional<std::string_view> find_name(int user);
#endif

bool wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, find_name);
  return f(14).has_value() && f(14)->empty();
}
