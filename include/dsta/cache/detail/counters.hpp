#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

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

/// 0 until this thread counts for the first time.
inline constinit thread_local unsigned thread_stripe = 0;
unsigned assign_stripe() noexcept;

/// Counters that many threads bump without sharing cache lines. Thread-safe; a sum is exact once writers are quiet.
class Counters {
 public:
  void add(Count what, std::uint64_t n = 1) noexcept {
    unsigned stripe = thread_stripe;
    if (stripe == 0) [[unlikely]]
      stripe = assign_stripe();
    stripes_[stripe % kStripes].counts[static_cast<std::size_t>(what)].fetch_add(n, std::memory_order_relaxed);
  }

  void add_to(Totals& totals) const noexcept {
    for (const auto& stripe : stripes_) {
      for (std::size_t i = 0; i < kCounts; ++i) totals[i] += stripe.counts[i].load(std::memory_order_relaxed);
    }
  }

  void clear() noexcept {
    for (auto& stripe : stripes_) {
      for (auto& count : stripe.counts) count.store(0, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr std::size_t kStripes = 16;
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, kCounts> counts{};
  };
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
