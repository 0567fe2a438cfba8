#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <thread>

#include <dsta/cache/duration.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A thread for what must be done at a time or when something was left to do: `step` does what is due and returns when
/// it is to be called next (steady clock; max: not before the next wake-up). One that throws because there is no memory
/// is called again after 100 ms. The first wake-up starts the thread. Thread-safe.
class PeriodicTask {
 public:
  /// `name` is the thread's, a literal.
  explicit PeriodicTask(std::function<TimePoint()> step, const char* name = "dsta-periodic")
      : step_(std::move(step)), name_(name) {}
  ~PeriodicTask() { stop(); }
  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;

  /// Has `step` called by `time` at the latest. Costs little when it will be anyway. False: there is no thread to be
  /// had for it; see tend().
  bool wake(TimePoint time = TimePoint{}) noexcept;
  /// By whatever passes here now and then, and costs a load. Where there was no thread to be had it tries again now and
  /// then, and as long as there is none it does what is due on the calling thread.
  void tend() noexcept {
    if (lacks_thread_.load(std::memory_order_relaxed)) [[unlikely]]
      stand_in();
  }
  /// Waits for a step under way. Nothing is called afterwards.
  void stop() noexcept;

 private:
  void run();
  bool start() DSTA_REQUIRES(mutex_);
  void stand_in() noexcept;
  TimePoint step() noexcept;

  const std::function<TimePoint()> step_;
  const char* const name_;
  Mutex mutex_;
  std::condition_variable wake_;
  TimePoint next_ DSTA_GUARDED_BY(mutex_) = TimePoint::max();
  TimePoint next_attempt_ DSTA_GUARDED_BY(mutex_) = {};  ///< to start a thread where there was none to be had
  bool stopped_ DSTA_GUARDED_BY(mutex_) = false;
  bool standing_in_ DSTA_GUARDED_BY(mutex_) = false;  ///< a step runs on a thread that passed by
  std::thread thread_ DSTA_GUARDED_BY(mutex_);
  std::uint32_t forks_ = 0;  ///< when it was started: the child of a fork does not have it
  std::atomic<bool> lacks_thread_{false};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
