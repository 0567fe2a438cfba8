// Invalidating a tag that few entries carry, beside one that very many carry: the cost is to be the same.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <dsta/cache.hpp>

namespace {

using dsta::cache::CacheManager;
using dsta::cache::TagMode;

/// A cache whose `count` entries all carry one tag; made once for each count.
CacheManager& tagged(std::int64_t count) {
  static std::map<std::int64_t, std::unique_ptr<CacheManager>> caches;
  auto& cache = caches[count];
  if (!cache) {
    dsta::cache::ManagerOptions options;
    options.l1.max_bytes = std::size_t{1} << 30;
    cache = std::make_unique<CacheManager>(std::move(options));
    for (std::int64_t i = 0; i < count; ++i) {
      cache->set("k" + std::to_string(i), i, {.ttl = dsta::cache::forever, .tags = {"tag"}});
    }
  }
  return *cache;
}

void invalidate(benchmark::State& state, TagMode mode) {
  CacheManager& cache = tagged(state.range(0));
  for (auto _ : state) cache.invalidate_tag("tag", mode);
  state.counters["entries"] = static_cast<double>(cache.get_stats().entries);
}

void InvalidateTagOfEntries(benchmark::State& state) { invalidate(state, TagMode::remove); }
void ExpireTagOfEntries(benchmark::State& state) { invalidate(state, TagMode::expire); }

/// What it takes to find out, by the first reader of an entry.
void ReadOfAnInvalidatedEntry(benchmark::State& state) {
  CacheManager& cache = tagged(state.range(0));
  cache.invalidate_tag("tag");
  for (auto _ : state) benchmark::DoNotOptimize(cache.get<std::int64_t>("k5"));
}

BENCHMARK(InvalidateTagOfEntries)->Arg(10)->Arg(1'000'000);
BENCHMARK(ExpireTagOfEntries)->Arg(10)->Arg(1'000'000);
BENCHMARK(ReadOfAnInvalidatedEntry)->Arg(10)->Arg(1'000'000);

}  // namespace
