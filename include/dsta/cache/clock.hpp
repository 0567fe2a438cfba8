#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The time that ttls, timeouts and schedules are measured by. Thread-safe. Replace it in tests by the ManualClock of
/// testing.hpp.
class Clock {
 public:
  virtual ~Clock() = default;

  /// The time, asked on every read: cheap before precise.
  virtual TimePoint now() const noexcept = 0;

  /// Waits on `wake` until it is notified or `deadline` is reached by this clock, whichever comes first; may also wake
  /// for no reason. True when the deadline is reached. `lock` is held on entry and on return.
  virtual bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimePoint deadline) = 0;
};

/// The system's monotonic clock; now() has the kernel tick's resolution (1 to 10 ms) and costs about 5 ns.
std::shared_ptr<Clock> system_clock();

}  // namespace v1
}  // namespace dsta::cache
