#pragma once
#include <atomic>
#include <cstdint>

#include <dsta/cache/duration.hpp>

#include "envelope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Times of this process as the server's microseconds, which all processes share whatever their own clocks say.
/// Thread-safe.
///
/// The difference is measured by TIME when a connection is new. The server read its clock somewhere between sending and
/// reply; it is taken to have been at once, so that an entry read from the server ends here never later than there, and
/// earlier by a round trip at most.
class ServerClock {
 public:
  void set(std::int64_t server_microseconds, TimePoint asked) {
    ahead_.store(server_microseconds - count(asked), std::memory_order_relaxed);
    known_.store(true, std::memory_order_release);
  }
  bool known() const { return known_.load(std::memory_order_acquire); }
  /// To be measured again.
  void doubt() { known_.store(false, std::memory_order_release); }

  std::int64_t to_server(TimePoint time) const {
    return time == TimePoint::max() ? kNever : count(time) + ahead_.load(std::memory_order_relaxed);
  }
  TimePoint to_local(std::int64_t server_microseconds) const {
    if (server_microseconds == kNever) return TimePoint::max();
    std::int64_t here = 0;
    if (__builtin_sub_overflow(server_microseconds, ahead_.load(std::memory_order_relaxed), &here)) {
      return server_microseconds < 0 ? TimePoint{} : TimePoint::max();
    }
    if (here < 0) return TimePoint{};  // before this machine was started: long ago
    return here > kLatest ? TimePoint::max() : TimePoint(std::chrono::microseconds(here));
  }

 private:
  static constexpr std::int64_t kLatest = std::chrono::microseconds::max().count() / 2000;
  static std::int64_t count(TimePoint time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  }

  std::atomic<std::int64_t> ahead_{0};
  std::atomic<bool> known_{false};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
