#include <dsta/cache.hpp>

#include <string>

using namespace std::chrono_literals;

int main() {
  auto cache = dsta::cache::CacheManager::from_env();
  cache.set("greeting", "hello", {.ttl = 60s});

  int calls = 0;
  auto twice = cache.cached({.ttl = 60s, .prefix = "consumer"}, [&calls](int x) {
    ++calls;
    return x * 2;
  });
  const bool works = cache.get("greeting") == "hello" && twice(21) == 42 && twice(21) == 42 && calls == 1;
  return works ? 0 : 1;
}
