// expect: returns a view
#include <dsta/cache.hpp>
#include <ranges>

using namespace std::chrono_literals;

struct Lines : std::ranges::view_base {
  const std::byte* begin() const;
  const std::byte* end() const;
};

#ifdef DSTA_CONTROL
std::vector<std::byte> source(int x);
#else
Lines source(int x);
#endif

auto wrap(dsta::cache::CacheManager& cache) { return cache.cached({.ttl = 300s, .prefix = "api"}, source)(14).begin(); }
