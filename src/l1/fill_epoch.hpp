#pragma once
#include <atomic>
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether values of L2 may be kept in L1, as a number that changes whenever that does. Thread-safe.
///
/// Invariant: it only grows, and is odd while values may be kept. So who noted a number and finds another one knows
/// that the invalidation channel went down in between, also where it came up again since: case 8
/// of flight.hpp.
class FillEpoch {
 public:
  /// As a flight's: nothing of it is kept.
  static constexpr std::uint64_t kNever = 0;

  std::uint64_t current() const noexcept { return epoch_.load(); }
  bool is_open() const noexcept { return is_open(current()); }
  static bool is_open(std::uint64_t epoch) noexcept { return epoch % 2 == 1; }

  void open() noexcept {
    std::uint64_t seen = epoch_.load();
    while (!is_open(seen) && !epoch_.compare_exchange_weak(seen, seen + 1)) {
    }
  }
  /// Changes it also where it is closed: whatever is under way is seen to be older than this.
  void close() noexcept {
    std::uint64_t seen = epoch_.load();
    while (!epoch_.compare_exchange_weak(seen, seen + 2 - seen % 2)) {
    }
  }

 private:
  std::atomic<std::uint64_t> epoch_{0};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
