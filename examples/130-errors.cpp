// Every exception of the library, and what causes it.
#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

#include <cstdio>
#include <string>

#include "check.hpp"

using namespace std::chrono_literals;
using dsta::cache::CacheManager;

template <class Expected, class Call>
void throws(Call call) {
  std::string message;
  try {
    call();
  } catch (const Expected& error) {
    message = static_cast<const dsta::cache::Error&>(error).what();  // the base of all of them
  }
  check(!message.empty(), message.c_str());
}

struct FullExecutor final : dsta::cache::Executor {
  bool try_post(std::function<void()>) override { return false; }
};

int main() {
  CacheManager cache;

  // [config]
  auto first = cache.cached({.prefix = "api"}, [](int x) { return x; });
  throws<dsta::cache::ConfigError>([&] { (void)cache.cached({.prefix = "api"}, [](int x) { return x + 1; }); });
  throws<dsta::cache::ConfigError>([] { CacheManager{"redis://localhost:port"}; });
  throws<dsta::cache::ConfigError>([&] { cache.set("k", 1, {.jitter = 1.5}); });
  // [/config]

  // [key]
  throws<dsta::cache::KeyError>([&] { (void)cache.get(""); });
  throws<dsta::cache::KeyError>([&] { (void)cache.get(std::string(dsta::cache::kMaxKeyBytes + 1, 'x')); });
  throws<dsta::cache::PatternError>([&] { cache.delete_pattern("api:[0-9"); });
  // [/key]

  // [value]
  cache.set("name", "Ada");
  throws<dsta::cache::ValueError>([&] { cache.increment("name"); });
  nlohmann::json deep;
  for (int i = 0; i <= dsta::cache::kMaxJsonDepth; ++i) deep = nlohmann::json::array({deep});
  throws<dsta::cache::ValueError>([&] { cache.set("deep", deep); });
  // [/value]

  // [recursive]
  std::function<int(int)> self;
  auto loops = cache.cached({.prefix = "loops"}, [&self](int x) { return self(x); });
  self = [&](int x) { return loops(x); };
  throws<dsta::cache::RecursiveLoadError>([&] { loops(1); });
  // [/recursive]

  // [overload]
  CacheManager busy{{.executor = std::make_shared<FullExecutor>()}};
  auto limited = busy.cached({.prefix = "limited", .load_timeout = 1s}, [](int x) { return x; });
  throws<dsta::cache::OverloadError>([&] { limited(1); });
  check(busy.get_stats().shed == 1, "counted as shed");
  // [/overload]
}
