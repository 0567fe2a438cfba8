// A hit of a wrapped function with ttl and statistics, beside what one would write by hand, and the floor.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

namespace {

using namespace std::chrono_literals;

double rsi(const std::string& symbol, int period) { return static_cast<double>(symbol.size()) + period; }

/// The floor: calling a function that does nothing.
[[gnu::noinline]] double nothing(const char* symbol, int period) {
  benchmark::DoNotOptimize(symbol);
  return period;
}

/// By hand, without ttl and statistics: a mutex, a map, a key by fmt.
class HandWritten {
 public:
  double operator()(const std::string& symbol, int period) {
    const std::string key = fmt::format("indicator:rsi:{}:{}", symbol, period);
    const std::lock_guard lock(mutex_);
    const auto it = values_.find(key);
    if (it != values_.end()) return it->second;
    return values_[key] = rsi(symbol, period);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, double> values_;
};

/// By hand, doing what the wrapper does: ttl and a count of hits and misses.
class HandWrittenWithTtl {
 public:
  double operator()(const std::string& symbol, int period) {
    const std::string key = fmt::format("indicator:rsi:{}:{}", symbol, period);
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    const auto it = values_.find(key);
    if (it != values_.end() && now < it->second.until) {
      ++hits_;
      return it->second.value;
    }
    ++misses_;
    const double value = rsi(symbol, period);
    values_[key] = {value, now + 60s};
    return value;
  }

 private:
  struct Entry {
    double value;
    std::chrono::steady_clock::time_point until;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> values_;
  std::uint64_t hits_ = 0, misses_ = 0;
};

dsta::cache::CacheManager& cache() {
  static dsta::cache::CacheManager manager;
  return manager;
}

void EmptyFunction(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(nothing("BTCUSDT", 14));
}

void WrapperHit(benchmark::State& state) {
  static auto cached_rsi = cache().cached({.ttl = 600s, .prefix = "indicator", .name = "rsi"}, rsi);
  for (auto _ : state) benchmark::DoNotOptimize(cached_rsi("BTCUSDT", 14));
}

void HandWrittenHit(benchmark::State& state) {
  static HandWritten by_hand;
  for (auto _ : state) benchmark::DoNotOptimize(by_hand("BTCUSDT", 14));
}

void HandWrittenHitWithTtl(benchmark::State& state) {
  static HandWrittenWithTtl by_hand;
  for (auto _ : state) benchmark::DoNotOptimize(by_hand("BTCUSDT", 14));
}

/// A value on the heap: copied for the caller, or shared.
const auto& candles() {
  static const auto function = cache().cached({.ttl = 600s, .prefix = "db", .name = "candles"},
                                              [](const std::string&) { return std::vector<double>(500, 1.5); });
  return function;
}

void WrapperHit4KBCopied(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(candles()("BTCUSDT"));
}

void WrapperHit4KBShared(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(candles().shared("BTCUSDT"));
}

void ManualGet(benchmark::State& state) {
  cache().set("price", 64000.5, {.prefix = "api"});
  const dsta::cache::EntryOptions options{.prefix = "api"};
  for (auto _ : state) benchmark::DoNotOptimize(cache().get<double>("price", options));
}

BENCHMARK(EmptyFunction);
BENCHMARK(WrapperHit);
BENCHMARK(HandWrittenHit);
BENCHMARK(HandWrittenHitWithTtl);
BENCHMARK(WrapperHit)->Threads(2);
BENCHMARK(HandWrittenHit)->Threads(2);
BENCHMARK(WrapperHit4KBCopied);
BENCHMARK(WrapperHit4KBShared);
BENCHMARK(ManualGet);

}  // namespace
