// A database that takes few queries at once, and many threads that start with an empty cache.
#include <dsta/cache.hpp>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

/// Counts the queries under way, and the most there were at once.
struct Database {
  int candles(const std::string&, int limit) {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(5ms);
    --running;
    return limit;
  }
  std::atomic<int> running{0}, most{0};
};

int main() {
  dsta::cache::CacheManager cache;
  Database database;

  // [limit]
  cache.limit_loads("db", {.concurrent = 2, .queue = 100});
  auto candles = cache.cached({.ttl = 60s, .prefix = "db", .name = "candles"},
                              [&](const std::string& symbol, int limit) { return database.candles(symbol, limit); });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i) {
      threads.emplace_back([&, i] { candles("BTCUSDT", i); });
    }
  }
  check(candles.cache_info().loads == 12, "a cold start: all twelve were loaded");
  check(database.most <= 2, "never more than two at once");
  // [/limit]

  // [overload]
  std::latch asked(1), answer(1);
  cache.limit_loads("report", {.concurrent = 1, .queue = 0});
  auto report = cache.cached({.ttl = 60s, .prefix = "report"}, [&](int day) {
    asked.count_down();
    answer.wait();
    return day;
  });
  std::jthread slow([&] { report(1); });
  asked.wait();
  bool refused = false;
  try {
    report(2);
  } catch (const dsta::cache::OverloadError&) {
    refused = true;
  }
  check(refused && cache.get_stats().shed == 1, "no place and no room in the queue: refused at once, and counted");
  answer.count_down();
  slow.join();
  check(report(1) == 1 && report(2) == 2, "hits need no place, and a place is free now");
  // [/overload]
}
