// Bounds on how long a caller waits for a slow source.
#include <dsta/cache.hpp>

#include <atomic>
#include <future>
#include <string>
#include <thread>

#include "check.hpp"

using namespace std::chrono_literals;

int main() {
  dsta::cache::CacheManager cache;

  // [load_timeout]
  std::promise<void> answer;
  const auto slow_source = [arrived = answer.get_future().share()](int) { return arrived.wait(), 42; };
  auto slow = cache.cached({.ttl = 60s, .prefix = "slow", .load_timeout = 20ms}, slow_source);
  bool timed_out = false;
  try {
    slow(1);
  } catch (const dsta::cache::LoadTimeoutError&) {
    timed_out = true;
  }
  check(timed_out, "the caller waited for 20 ms and no longer");
  answer.set_value();
  while (!slow.peek(1)) std::this_thread::sleep_for(1ms);
  check(slow.peek(1) == 42, "the late result was stored");
  // [/load_timeout]

  // [soft_timeout]
  std::atomic<int> calls{0};
  auto price = cache.cached({.ttl = 60s, .prefix = "price", .tags = {"prices"}, .stale_for = 10min, .soft_timeout = 5s},
                            [&](const std::string&) { return ++calls; });
  check(price("BTC") == 1, "loaded");
  cache.invalidate_tag("prices", dsta::cache::TagMode::expire);  // past its ttl from here on
  check(price("BTC") == 2, "the refresh ended within 5 s, so the caller got the new value");
  // [/soft_timeout]
}
