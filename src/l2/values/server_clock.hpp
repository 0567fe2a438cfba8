#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

#include <dsta/cache/duration.hpp>

#include "base/saturating_add.hpp"
#include "l2/values/envelope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Times of this process as the server's microseconds, which all processes share whatever their own clocks say.
/// Thread-safe.
///
/// The difference is measured by TIME when a connection is new, since it may lead to another server, and once a minute,
/// since clocks are set and drift; sooner where the answer took long. The server read its clock somewhere between
/// sending and reply. What is read from the server is evaluated as if that had been at once, so that an entry ends here
/// never later than there; what is written is dated as if it had been at the end, so that no entry lives longer than it
/// was given, in any process. Either costs a round trip of its life at most. As long as the server does not say its
/// time it is taken to be this machine's.
class ServerClock {
 public:
  explicit ServerClock(TimePoint now) {
    assume(now, 0);
    doubt();
  }

  void set(std::int64_t server_microseconds, TimePoint asked, TimePoint answered, std::uint64_t connection) {
    while (setting_.test_and_set(std::memory_order_acquire)) {  // by another thread, of a few instructions
    }
    if (!is_newer_than(connection)) set_alone(server_microseconds, asked, answered, connection);
    setting_.clear(std::memory_order_release);
  }
  /// The server of this connection does not say its time.
  void assume(TimePoint now, std::uint64_t connection) {
    const auto here = std::chrono::system_clock::now().time_since_epoch();
    set(std::chrono::duration_cast<std::chrono::microseconds>(here).count(), now, now, connection);
  }
  /// To be measured before it is used again.
  bool due(TimePoint steady_now = std::chrono::steady_clock::now()) const {
    return steady_now >= due_.load(std::memory_order_acquire);
  }
  bool is_newer_than(std::uint64_t connection) const {
    return connection_.load(std::memory_order_relaxed) > connection;
  }
  bool is_older_than(std::uint64_t connection) const {
    return connection_.load(std::memory_order_relaxed) < connection;
  }
  /// In the child of a fork, before it has threads: the thread that was setting it is not here.
  void forked() {
    setting_.clear(std::memory_order_release);
    doubt();
  }
  void doubt() { due_.store(TimePoint{}, std::memory_order_release); }

  /// How much earlier than it is to_local() may say that a time of this process was, which it wrote.
  Duration precision() const {
    return std::chrono::microseconds(1 + ahead_.load(std::memory_order_relaxed) -
                                     least_ahead_.load(std::memory_order_relaxed));
  }
  /// By how many microseconds the server is ahead of this process.
  std::int64_t ahead() const { return ahead_.load(std::memory_order_relaxed); }

  std::int64_t to_server(TimePoint time) const {
    return time == TimePoint::max() ? kNever : count(time) + ahead_.load(std::memory_order_relaxed);
  }
  /// For what is written: at the server it is not earlier than that.
  std::int64_t to_server_at_least(TimePoint time) const {
    return time == TimePoint::max() ? kNever : count(time) + least_ahead_.load(std::memory_order_relaxed);
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

  void set_alone(std::int64_t server_microseconds, TimePoint asked, TimePoint answered, std::uint64_t connection) {
    const std::int64_t least = server_microseconds - count(answered), most = server_microseconds - count(asked);
    // What was known still holds, and may come of a shorter round trip.
    const bool known = connection == connection_.load(std::memory_order_relaxed) && least <= ahead() && ahead() <= most;
    const std::int64_t now_least = known ? std::max(least, least_ahead_.load(std::memory_order_relaxed)) : least;
    least_ahead_.store(now_least, std::memory_order_relaxed);
    if (!known) ahead_.store(most, std::memory_order_relaxed);
    connection_.store(connection, std::memory_order_relaxed);
    const Duration width = std::chrono::microseconds(ahead() - now_least);
    // Where the server is far away each answer takes long, and one request in ten or so is enough.
    const Duration lasts =
        width > kPrecise ? std::clamp<Duration>(10 * (answered - asked), kSoon, kSoonAtMost) : Duration(kLasts);
    due_.store(saturating_add(std::chrono::steady_clock::now(), lasts), std::memory_order_release);
  }

  static constexpr std::chrono::minutes kLasts{1};
  /// A round trip that takes longer is measured again soon: the server was paused, or the network was.
  static constexpr std::chrono::milliseconds kPrecise{50};
  static constexpr std::chrono::milliseconds kSoon{100}, kSoonAtMost{1000};

  std::atomic<std::int64_t> ahead_{0};
  std::atomic<std::int64_t> least_ahead_{0};
  std::atomic<std::uint64_t> connection_{0};  ///< by which it was measured; later ones have higher numbers
  std::atomic<TimePoint> due_{};
  std::atomic_flag setting_ = ATOMIC_FLAG_INIT;  ///< the times above belong together
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
