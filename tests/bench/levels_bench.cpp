// What the in-process level saves in front of a server, and what having a server costs a hit in-process.
#include <benchmark/benchmark.h>
#include <dsta/cache.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "redis_server.hpp"

namespace {

using namespace std::chrono_literals;
using namespace dsta::cache;
using dsta::cache::testing_support::RedisServer;

RedisServer& server() {
  static auto* running = new RedisServer;
  return *running;
}

enum class Storage { embedded, server, two_levels };

ManagerOptions options(Storage storage) {
  ManagerOptions options;
  if (storage != Storage::embedded) options.url = server().url();
  options.l1.enabled = storage != Storage::server;
  return options;
}

template <Storage kStorage>
void WrapperHit(benchmark::State& state) {
  CacheManager cache{options(kStorage)};
  const auto f = cache.cached({.ttl = 1h, .prefix = "hit"}, [](const std::string&, int n) { return n * 0.5; });
  const std::string symbol = "BTCUSDT";
  // The server tells of what the load stored; after that the value stays.
  for (int i = 0; i < 100; ++i) {
    benchmark::DoNotOptimize(f(symbol, 14));
    if (i % 10 == 0) std::this_thread::sleep_for(2ms);
  }
  for (auto _ : state) benchmark::DoNotOptimize(f(symbol, 14));
}
BENCHMARK(WrapperHit<Storage::embedded>);
BENCHMARK(WrapperHit<Storage::two_levels>);

/// Keys by Zipf's law (exponent 0.99, as in YCSB), drawn beforehand.
std::vector<std::uint32_t> zipf(std::uint64_t seed) {
  constexpr std::size_t kKeys = 1000, kDraws = 1 << 16;
  std::vector<double> sums(kKeys);
  double sum = 0;
  for (std::size_t i = 0; i < kKeys; ++i) sums[i] = sum += 1 / std::pow(static_cast<double>(i + 1), 0.99);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, sum);
  std::vector<std::uint32_t> draws(kDraws);
  for (auto& draw : draws) {
    draw = static_cast<std::uint32_t>(std::ranges::lower_bound(sums, uniform(random)) - sums.begin());
  }
  return draws;
}

/// One write in so many operations, the rest reads.
template <Storage kStorage>
void Mix(benchmark::State& state) {
  static CacheManager* cache = nullptr;
  static const std::string value(100, 'v');
  if (state.thread_index() == 0) {
    cache = new CacheManager{options(kStorage)};
    for (int i = 0; i < 1000; ++i) cache->set("k" + std::to_string(i), value, {.ttl = 1h});
  }
  const auto draws = zipf(static_cast<std::uint64_t>(state.thread_index()));
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back("k" + std::to_string(i));
  const auto turn = static_cast<std::size_t>(state.range(0));
  std::size_t n = 0, missed = 0;
  for (auto _ : state) {
    const std::string& key = keys[draws[n % draws.size()]];
    if (n++ % turn == 0) {
      cache->set(key, value, {.ttl = 1h});
    } else {
      missed += cache->get(key) ? 0 : 1;
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["missed"] = static_cast<double>(missed);
  if (state.thread_index() == 0) {
    state.counters["l2_hits"] = static_cast<double>(cache->get_stats().l2_hits);
    delete cache;
  }
}
BENCHMARK(Mix<Storage::server>)->Arg(10)->Arg(20)->Arg(100)->Threads(8)->UseRealTime();
BENCHMARK(Mix<Storage::two_levels>)->Arg(10)->Arg(20)->Arg(100)->Threads(8)->UseRealTime();
BENCHMARK(Mix<Storage::embedded>)->Arg(10)->Arg(20)->Arg(100)->Threads(8)->UseRealTime();

template <Storage kStorage>
void Get(benchmark::State& state) {
  static CacheManager* cache = nullptr;
  if (state.thread_index() == 0) {
    cache = new CacheManager{options(kStorage)};
    cache->set("k", std::string(100, 'v'), {.ttl = 1h});
  }
  for (auto _ : state) benchmark::DoNotOptimize(cache->get("k"));
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) delete cache;
}
BENCHMARK(Get<Storage::server>)->Threads(1)->Threads(8)->UseRealTime();

template <Storage kStorage>
void Set(benchmark::State& state) {
  static CacheManager* cache = nullptr;
  if (state.thread_index() == 0) cache = new CacheManager{options(kStorage)};
  const std::string value(100, 'v');
  const std::string key = "k" + std::to_string(state.thread_index());
  for (auto _ : state) benchmark::DoNotOptimize(cache->set(key, value, {.ttl = 1h}));
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) delete cache;
}
BENCHMARK(Set<Storage::server>)->Threads(1)->Threads(8)->UseRealTime();
BENCHMARK(Set<Storage::two_levels>)->Threads(1)->Threads(8)->UseRealTime();

}  // namespace
