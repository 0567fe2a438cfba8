#pragma once
#include <atomic>
#include <cstdint>

#include <dsta/cache/stats.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a manager counts of its L2. Thread-safe.
class L2Counters {
 public:
  void add_hits(std::uint64_t hits) noexcept { hits_.fetch_add(hits, std::memory_order_relaxed); }
  /// A request that failed, or that the server refused.
  void add_error() noexcept { errors_.fetch_add(1, std::memory_order_relaxed); }
  /// A write of which it is not known whether the server executed it.
  void add_unknown_write() noexcept { unknown_writes_.fetch_add(1, std::memory_order_relaxed); }
  /// The invalidation channel went down.
  void add_channel_loss() noexcept { channel_losses_.fetch_add(1, std::memory_order_relaxed); }

  void write_to(CacheStats& stats) const noexcept {
    stats.l2_hits = hits_.load(std::memory_order_relaxed);
    stats.l2_errors = errors_.load(std::memory_order_relaxed);
    stats.unknown_writes = unknown_writes_.load(std::memory_order_relaxed);
    stats.l1_suspensions = channel_losses_.load(std::memory_order_relaxed);
  }
  void clear() noexcept { hits_ = errors_ = unknown_writes_ = channel_losses_ = 0; }

 private:
  std::atomic<std::uint64_t> hits_{0}, errors_{0}, unknown_writes_{0}, channel_losses_{0};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
