// What the cache did: for the whole manager, by prefix, by function; an alarm; health.
#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

#include "check.hpp"

using namespace std::chrono_literals;

double fetch_ticker(const std::string&) { return 64000.5; }

int main() {
  dsta::cache::testing::CleanCache clean;  // a clock that stands still: the alarm below needs no waiting
  dsta::cache::CacheManager& cache = clean.cache;

  // [manager]
  cache.set("s", 1);
  for (int i = 0; i < 10; ++i) (void)cache.get<int>("s");
  (void)cache.get<int>("absent");
  cache.del("s");
  const dsta::cache::CacheStats stats = cache.get_stats();
  check(stats.hits == 10 && stats.misses == 1 && stats.total_requests == 11, "requests");
  check(stats.sets == 1 && stats.deletes == 1 && stats.entries == 0, "changes");
  check(stats.hit_rate > 0.9 && stats.hit_rate_text() == "90.91%", "the hit rate");
  std::printf("%s\n", stats.to_json().c_str());
  // [/manager]

  // [prefix]
  auto ticker = cache.cached({.ttl = 60s, .prefix = "api", .name = "ticker"}, fetch_ticker);
  ticker("BTCUSDT"), ticker("BTCUSDT");
  for (const auto& [prefix, of_prefix] : cache.get_stats_by_prefix()) {
    std::printf("%-8s %s\n", prefix.c_str(), of_prefix.hit_rate_text().c_str());
  }
  const dsta::cache::FunctionInfo info = ticker.cache_info();
  check(info.name == "ticker" && info.hits == 1 && info.misses == 1 && info.loads == 1, "the counts of one function");
  check(info.hit_rate == 0.5 && info.load_failures == 0 && info.load_seconds >= 0, "and the cost of its loads");
  // [/prefix]

  // [clear]
  cache.clear_stats();
  check(cache.get_stats().total_requests == 0 && ticker.peek("BTCUSDT"), "clear_stats resets counts and keeps values");
  // [/clear]

  // [alarm]
  std::atomic<int> alarms{0};
  cache.on_low_hit_rate(
      0.8, [&](const dsta::cache::CacheStats& window) { alarms += window.hit_rate < 0.8 ? 1 : 0; },
      dsta::cache::HitRateAlarm{.interval = 60s, .min_requests = 100});
  // [/alarm]
  for (int i = 0; i < 100; ++i) (void)cache.get("absent");
  clean.clock->advance(61s);
  while (alarms == 0) std::this_thread::sleep_for(1ms);
  check(alarms == 1, "a minute of misses raised the alarm");

  // [health]
  const dsta::cache::Health health = dsta::cache::check_health(cache);
  check(health.healthy && health.error.empty(), "a value can be written, read and removed");
  std::printf("%s, %s\n", health.backend.c_str(), health.latency.text().c_str());  // memory, 12.5us
  // [/health]
}
