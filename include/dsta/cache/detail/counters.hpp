#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <dsta/cache/detail/thread_record.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What is counted for every function and every prefix of manual calls.
enum class Count : std::size_t {
  hits,
  misses,
  sets,
  deletes,
  loads,
  load_failures,
  load_nanoseconds,
  coalesced,
  stale_served,
  early_refreshes,
  fenced,
  negative_hits,
  rejected,
  codec_errors,
  invalidations,
  shed,
  kCount
};

inline constexpr std::size_t kCounts = static_cast<std::size_t>(Count::kCount);
using Totals = std::array<std::uint64_t, kCounts>;

/// Counters that many threads bump without waiting for each other. Thread-safe; a sum is exact once writers are quiet.
///
/// The first threads have a stripe each, which only they write: a load and a store, where an atomic addition would hold
/// up the processor for longer than the rest of a cache hit. Further threads share stripes and pay for the addition.
class Counters {
 public:
  void add(Count what, std::uint64_t n = 1) noexcept { add(thread_record(), what, n); }

  /// `record` is the calling thread's.
  [[gnu::always_inline]] void add(const ThreadRecord& record, Count what, std::uint64_t n = 1) noexcept {
    const std::uint32_t index = record.index;
    if (index < kOwned) [[likely]] {
      auto& count = stripes_[index].counts[static_cast<std::size_t>(what)];
      count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    } else {
      auto& count = stripes_[kOwned + index % kShared].counts[static_cast<std::size_t>(what)];
      count.fetch_add(n, std::memory_order_relaxed);
    }
  }

  void add_to(Totals& totals) const noexcept {
    for (std::size_t i = 0; i < kCounts; ++i) totals[i] += sum(i) - cleared_[i].load(std::memory_order_relaxed);
  }

  /// Counts from here: the stripes belong to their threads, so what they hold is remembered instead of zeroed.
  void clear() noexcept {
    for (std::size_t i = 0; i < kCounts; ++i) cleared_[i].store(sum(i), std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t kOwned = 16, kShared = 4;
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, kCounts> counts{};
  };

  std::uint64_t sum(std::size_t what) const noexcept {
    std::uint64_t total = 0;
    for (const auto& stripe : stripes_) total += stripe.counts[what].load(std::memory_order_relaxed);
    return total;
  }

  std::array<Stripe, kOwned + kShared> stripes_;
  std::array<std::atomic<std::uint64_t>, kCounts> cleared_{};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
