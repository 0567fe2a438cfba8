#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

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
/// What is seldom counted is small: one array that all threads share. From the 64th count of a kind on, the first
/// threads have a stripe each, which only they write: a load and a store, where an atomic addition would hold up the
/// processor for longer than the rest of a cache hit. Further threads share stripes and pay for the addition.
class Counters {
 public:
  Counters() = default;
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;
  ~Counters() { delete stripes_.load(std::memory_order_relaxed); }

  void add(Count what, std::uint64_t n = 1) noexcept { add(thread_record(), what, n); }

  /// `record` is the calling thread's.
  [[gnu::always_inline]] void add(const ThreadRecord& record, Count what, std::uint64_t n = 1) noexcept {
    Stripes* const stripes = stripes_.load(std::memory_order_acquire);
    if (stripes && record.index < kOwned) [[likely]] {
      auto& count = (*stripes)[record.index].counts[static_cast<std::size_t>(what)];
      count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    } else {
      add_shared(stripes, record.index, static_cast<std::size_t>(what), n);
    }
  }

  void add(const Totals& totals) noexcept {
    for (std::size_t i = 0; i < kCounts; ++i) few_[i].fetch_add(totals[i], std::memory_order_relaxed);
  }
  void add_to(Totals& totals) const noexcept {
    for (std::size_t i = 0; i < kCounts; ++i) totals[i] += sum(i) - cleared_[i].load(std::memory_order_relaxed);
  }

  /// Counts from here: the stripes belong to their threads, so what they hold is remembered instead of zeroed.
  void clear() noexcept {
    for (std::size_t i = 0; i < kCounts; ++i) cleared_[i].store(sum(i), std::memory_order_relaxed);
  }

  /// Keeps the counts and frees the stripes. No other thread may be counting, or summing, meanwhile.
  void rest() noexcept {
    const Stripes* const stripes = stripes_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < kCounts; ++i) few_[i].store(sum(i), std::memory_order_relaxed);
    stripes_.store(nullptr, std::memory_order_relaxed);
    delete stripes;
  }

 private:
  static constexpr std::size_t kOwned = 16, kShared = 4;
  static constexpr std::uint64_t kFew = 64;
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, kCounts> counts{};
  };
  using Stripes = std::array<Stripe, kOwned + kShared>;

  [[gnu::noinline]] void add_shared(Stripes* stripes, std::uint32_t index, std::size_t what, std::uint64_t n) noexcept {
    if (stripes) {
      (*stripes)[kOwned + index % kShared].counts[what].fetch_add(n, std::memory_order_relaxed);
    } else if (const auto before = few_[what].fetch_add(n, std::memory_order_relaxed);
               n == 1 && before % kFew == kFew - 1) {
      grow();
    }
  }
  /// Without memory the next one tries again.
  void grow() noexcept {
    auto* const stripes = new (std::nothrow) Stripes{};
    Stripes* none = nullptr;
    if (!stripes_.compare_exchange_strong(none, stripes, std::memory_order_acq_rel)) delete stripes;
  }

  std::uint64_t sum(std::size_t what) const noexcept {
    std::uint64_t total = few_[what].load(std::memory_order_relaxed);
    const Stripes* const stripes = stripes_.load(std::memory_order_acquire);
    if (!stripes) return total;
    for (const auto& stripe : *stripes) total += stripe.counts[what].load(std::memory_order_relaxed);
    return total;
  }

  std::atomic<Stripes*> stripes_{nullptr};
  std::array<std::atomic<std::uint64_t>, kCounts> few_{};
  std::array<std::atomic<std::uint64_t>, kCounts> cleared_{};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
