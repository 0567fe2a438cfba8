// Keys of 24 bytes and values of 64 on a working set by Zipf's law: hits, loads and evicting writes, by one thread and
// several. Beside them RocksDB's HyperClockCache where it is found: it is given a hash of the key, made for it here.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/detail/hash.hpp>

#ifdef DSTA_CACHE_BENCH_ROCKSDB
#include <rocksdb/cache.h>
#endif

namespace {

using namespace std::chrono_literals;
using dsta::cache::CacheManager;
using Value = std::array<std::uint64_t, 8>;

constexpr std::size_t kKeys = 100'000;

struct Workload {
  Workload() : draws(std::size_t{1} << 20) {
    for (std::size_t i = 0; i < kKeys; ++i) keys.push_back(fmt::format("db:BTCUSDT:{:010}:1h", i));
    std::vector<double> sums(kKeys);
    double sum = 0;
    for (std::size_t i = 0; i < kKeys; ++i) sums[i] = sum += std::pow(static_cast<double>(i + 1), -0.99);
    std::mt19937_64 random(42);
    std::vector<std::uint32_t> places(kKeys);
    for (std::uint32_t i = 0; i < kKeys; ++i) places[i] = i;
    std::ranges::shuffle(places, random);
    std::uniform_real_distribution<double> uniform(0, sum);
    for (auto& draw : draws) {
      const auto rank = std::ranges::lower_bound(sums, uniform(random)) - sums.begin();
      draw = places[std::min(static_cast<std::size_t>(rank), kKeys - 1)];
    }
  }
  const std::string& key(std::size_t i) const { return keys[draws[i % draws.size()]]; }

  std::vector<std::string> keys;
  std::vector<std::uint32_t> draws;
};

const Workload& workload() {
  static const Workload made;
  return made;
}

/// Where a thread begins in the trace.
std::size_t start(const benchmark::State& state) { return static_cast<std::size_t>(state.thread_index()) * 100'003; }

CacheManager& filled() {
  static CacheManager cache({.default_ttl = 1h, .l1 = {.max_bytes = kKeys * 400}});
  static const bool done = [] {
    for (const auto& key : workload().keys) cache.set(key, Value{1});
    return true;
  }();
  benchmark::DoNotOptimize(done);
  return cache;
}

void Get(benchmark::State& state) {
  CacheManager& cache = filled();
  std::size_t i = start(state);
  for (auto _ : state) benchmark::DoNotOptimize(cache.get<Value>(workload().key(i++)));
}

void GetOrLoad(benchmark::State& state) {
  CacheManager& cache = filled();
  std::size_t i = start(state);
  for (auto _ : state) benchmark::DoNotOptimize(cache.get_or_load(workload().key(i++), [] { return Value{2}; }));
}

void Wrapper(benchmark::State& state) {
  static CacheManager cache({.default_ttl = 1h, .l1 = {.max_bytes = kKeys * 400}});
  static const auto f = cache.cached({.prefix = "f"}, [](const std::string& key) { return Value{key.size()}; });
  if (state.thread_index() == 0) {
    for (const auto& key : workload().keys) f(key);
  }
  std::size_t i = start(state);
  for (auto _ : state) benchmark::DoNotOptimize(f(workload().key(i++)));
}

void Shared(benchmark::State& state) {
  static CacheManager cache({.default_ttl = 1h, .l1 = {.max_bytes = kKeys * 500}});
  static const auto f = cache.cached({.prefix = "s"}, [](const std::string& key) { return key + key + key; });
  std::size_t i = start(state);
  for (auto _ : state) benchmark::DoNotOptimize(f.shared(workload().key(i++)));
}

void EvictingSet(benchmark::State& state) {
  static CacheManager cache({.default_ttl = 1h, .l1 = {.max_bytes = kKeys * 30}});
  std::size_t i = start(state);
  for (auto _ : state) cache.set(workload().keys[i++ % kKeys], Value{3});
}

#ifdef DSTA_CACHE_BENCH_ROCKSDB
struct HyperClock {
  explicit HyperClock(std::size_t entries) {
    rocksdb::HyperClockCacheOptions options(entries, 1, 6);
    options.metadata_charge_policy = rocksdb::kDontChargeCacheMetadata;
    cache = options.MakeSharedCache();
  }
  static std::array<std::uint64_t, 2> hashed(const std::string& key) {
    const std::uint64_t hash = dsta::cache::detail::hash_bytes(key);
    return {hash, hash * 0x9e3779b97f4a7c15};
  }
  static rocksdb::Slice slice(const std::array<std::uint64_t, 2>& hash) {
    return {reinterpret_cast<const char*>(hash.data()), sizeof hash};
  }
  bool get(const std::string& key, Value& out) {
    const auto hash = hashed(key);
    rocksdb::Cache::Handle* const handle = cache->Lookup(slice(hash));
    if (!handle) return false;
    out = *static_cast<const Value*>(cache->Value(handle));
    cache->Release(handle);
    return true;
  }
  void put(const std::string& key, const Value& value) {
    const auto hash = hashed(key);
    auto made = std::make_unique<Value>(value);
    const auto drop = [](const rocksdb::Slice&, void* held) { delete static_cast<Value*>(held); };
    if (cache->Insert(slice(hash), made.get(), 1, drop).ok()) (void)made.release();
  }
  std::shared_ptr<rocksdb::Cache> cache;
};

void HyperClockGet(benchmark::State& state) {
  static HyperClock cache(kKeys * 13 / 10);
  if (state.thread_index() == 0) {
    for (const auto& key : workload().keys) cache.put(key, Value{1});
  }
  std::size_t i = start(state);
  Value value{};
  for (auto _ : state) benchmark::DoNotOptimize(cache.get(workload().key(i++), value));
}

void HyperClockEvictingSet(benchmark::State& state) {
  static HyperClock cache(kKeys / 10);
  std::size_t i = start(state);
  for (auto _ : state) cache.put(workload().keys[i++ % kKeys], Value{3});
}

BENCHMARK(HyperClockGet)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(HyperClockEvictingSet)->Threads(1)->Threads(2)->UseRealTime();
#endif

BENCHMARK(Get)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(Wrapper)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(GetOrLoad)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(Shared)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(EvictingSet)->Threads(1)->Threads(2)->UseRealTime();

/// All keys of a large store go, and then the store itself; the time of one entry.
void FlushAndDestroy(benchmark::State& state) {
  constexpr std::size_t kMany = 1'000'000;
  double flushed = 0, destroyed = 0;
  const auto seconds = [](auto from) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
  };
  for (auto _ : state) {
    auto cache = std::make_unique<CacheManager>(dsta::cache::ManagerOptions{.l1 = {.max_bytes = kMany * 600}});
    for (const bool last : {false, true}) {
      for (std::size_t i = 0; i < kMany; ++i) cache->set(fmt::format("db:BTCUSDT:{:010}:1h", i), Value{i});
      const auto begin = std::chrono::steady_clock::now();
      last ? cache.reset() : cache->flush_all();
      (last ? destroyed : flushed) += seconds(begin);
    }
  }
  const auto each = [&](double sum) { return sum / static_cast<double>(state.iterations()) / kMany * 1e9; };
  state.counters["flush_ns_per_entry"] = each(flushed);
  state.counters["destroy_ns_per_entry"] = each(destroyed);
}
BENCHMARK(FlushAndDestroy)->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
