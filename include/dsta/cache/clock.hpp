#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The clock of ttls, timeouts and schedules. Thread-safe. In tests, replace it by the ManualClock of testing.hpp.
class Clock {
 public:
  virtual ~Clock() = default;

  /// The current time. Called on every read, so it should be cheap rather than precise.
  virtual TimePoint now() const noexcept = 0;

  /// Waits on `wake` until it is notified, or until this clock reaches `deadline`; spurious wake-ups are allowed. True
  /// when the deadline is reached. `lock` is held on entry and on return.
  virtual bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimePoint deadline) = 0;
};

/// The system's monotonic clock. now() has the resolution of the kernel tick (1 to 10 ms) and costs about 5 ns.
std::shared_ptr<Clock> system_clock();

}  // namespace v1
}  // namespace dsta::cache
