#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <dsta/cache/clock.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether the next load of a function is likely to find nothing at L2. Then the request that reads also takes the
/// lease, which saves a round trip. A wrong guess costs a command that does nothing, or a round trip: never a wrong
/// value. Thread-safe.
///
/// As branch predictors do it (J. E. Smith, "A study of branch prediction strategies", 1981): a saturating counter of
/// two bits for each function, in a table without names, so that two functions may share one. Two surprises in a row
/// change the guess.
class MissPrediction {
 public:
  /// A function is expected to find nothing once it has: a process that has just started hits, and where the server
  /// takes no writes, hits must not wait for a lease.
  bool expects_miss(const void* function) const noexcept { return place(function).load(kRelaxed) >= kMiss; }

  /// What was read. Updates of two threads may lose one of them.
  void note(const void* function, bool found) noexcept {
    std::atomic<std::uint8_t>& counter = place(function);
    const std::uint8_t seen = counter.load(kRelaxed);
    if (found ? seen > 0 : seen < kMost)
      counter.store(static_cast<std::uint8_t>(found ? seen - 1 : seen + 1), kRelaxed);
  }

  /// A request that reads and writes did not come through. The server may answer those that only read, and hits must
  /// not suffer from what a miss would.
  void pause(TimePoint now) noexcept { paused_until_.store(now + kPause, kRelaxed); }
  bool paused(TimePoint now) const noexcept { return now < paused_until_.load(kRelaxed); }

 private:
  static constexpr std::uint8_t kMiss = 2, kMost = 3;
  static constexpr std::size_t kPlaces = 512;
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  static constexpr std::chrono::seconds kPause{1};

  struct Counter {
    std::atomic<std::uint8_t> value{kMiss - 1};
  };
  /// By the address: its middle bits tell records of the heap apart.
  static std::size_t index(const void* function) noexcept {
    return static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(function) * 0x9E3779B97F4A7C15ULL >> 55);
  }
  std::atomic<std::uint8_t>& place(const void* function) noexcept { return counters_[index(function)].value; }
  const std::atomic<std::uint8_t>& place(const void* function) const noexcept {
    return counters_[index(function)].value;
  }

  std::array<Counter, kPlaces> counters_;
  std::atomic<TimePoint> paused_until_{TimePoint{}};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
