#pragma once
#include <algorithm>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The time that an operation of the cache may spend with the server, whatever number of requests it is made of. Each
/// thread has its own: an operation gives itself one, and requests end by it. What runs for the user meanwhile (a
/// loader, and operations inside it) has time of its own and uses none of it up.
class TimeBudget {
 public:
  /// When requests of this thread must have ended; max where no operation is under way.
  static TimePoint end() noexcept { return end_; }
  static bool used_up() noexcept { return end_ != TimePoint::max() && std::chrono::steady_clock::now() >= end_; }

  /// Gives the thread `limit` from now, unless it is inside an operation already.
  class Operation {
   public:
    explicit Operation(Duration limit) noexcept : outer_(end_) {
      if (outer_ == TimePoint::max()) end_ = std::chrono::steady_clock::now() + limit;
    }
    ~Operation() {
      if (outer_ == TimePoint::max()) end_ = outer_;  // else the time is the outer one's, and what it was given since
    }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

   private:
    const TimePoint outer_;
  };

  /// Lets an operation that goes over everything, a part at a time, take longer than its limit, but only while the
  /// server keeps up: beyond its end, each part must come within a quarter of the limit. A few parts earn no such
  /// grace.
  class Sweep {
   public:
    explicit Sweep(Duration limit) noexcept : grace_(limit / 4) {}
    void part_done() noexcept {
      constexpr int kFew = 8;
      if (end_ == TimePoint::max() || ++parts_ <= kFew) return;
      end_ = std::max(end_, std::chrono::steady_clock::now() + grace_);
    }

   private:
    const Duration grace_;
    int parts_ = 0;
  };

  /// The thread's requests end by `deadline` as well.
  class Cap {
   public:
    explicit Cap(TimePoint deadline) noexcept : outer_(end_) { end_ = std::min(end_, deadline); }
    ~Cap() { end_ = outer_; }
    Cap(const Cap&) = delete;
    Cap& operator=(const Cap&) = delete;

   private:
    const TimePoint outer_;
  };

  /// Starts the operation's time again: it has `limit` from now. For waits of others, while the server answers.
  static void renew(Duration limit) noexcept {
    if (end_ != TimePoint::max()) end_ = std::max(end_, std::chrono::steady_clock::now() + limit);
  }

  /// Stops the clock of the operation that the thread is inside of.
  class Pause {
   public:
    Pause() noexcept : end_before_(end_), begun_(std::chrono::steady_clock::now()) { end_ = TimePoint::max(); }
    ~Pause() {
      end_ = end_before_;
      if (end_ != TimePoint::max()) end_ += std::chrono::steady_clock::now() - begun_;
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    const TimePoint end_before_;
    const TimePoint begun_;
  };

 private:
  static inline constinit thread_local TimePoint end_ = TimePoint::max();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
