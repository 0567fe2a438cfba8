// expect: returns a view
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

#ifdef DSTA_CONTROL
std::string source(int x);
#else
std::string_view source(int x);
#endif

// However much is done with the wrapper: still one error.
bool wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, source)
               .key_builder([](int x) { return x; })
               .condition([](const auto& text) { return !text.empty(); })
               .adaptive_ttl([](const auto&) { return 1s; })
               .adaptive_tags([](const auto&) { return std::vector<std::string>{"tag"}; });
  if (f(1).size() != f.refresh(1).size() || f.shared(1)->empty() || !f.peek(1) || !f.put(1, "text")) return false;
  f.cache_clear();
  return f.invalidate(1) && f.key_for(1) == "api:1" && f.cache_info().hits == 0;
}
