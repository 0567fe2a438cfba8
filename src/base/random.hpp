#pragma once
#include <atomic>
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Random numbers for jitter and early refreshes: fast, and no secret. Thread-safe.
///
/// splitmix64 (Steele, Lea & Flood, OOPSLA 2014): a counter through a mixer, so threads share it without a lock.
class Random {
 public:
  explicit Random(std::uint64_t seed) : counter_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = counter_.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  /// 0 <= f < 1.
  double fraction() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::atomic<std::uint64_t> counter_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
