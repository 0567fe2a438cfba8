#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>

#include <dsta/cache/duration.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Where threads of this process wait for loads of other processes. Each change that the invalidation channel reports
/// wakes them, since it may be the end of such a load; without a channel they look again after a pause. Thread-safe.
class ForeignLoads {
 public:
  /// Something changed at L2. Costs one load of an atomic while nobody waits.
  void wake() {
    if (waiting_.load(std::memory_order_acquire) == 0) return;
    {
      const MutexLock lock(mutex_);
      ++changes_;
    }
    changed_.notify_all();
  }

  /// Waits for the next change, and for `pause` at most. False: the pause is over.
  bool wait(Duration pause) {
    waiting_.fetch_add(1, std::memory_order_acq_rel);
    const TimePoint end = std::chrono::steady_clock::now() + pause;
    bool woken = false;
    {
      MutexLock lock(mutex_);
      const std::uint64_t seen = changes_;
      while (changes_ == seen && changed_.wait_until(lock.native(), end) == std::cv_status::no_timeout) {
      }
      woken = changes_ != seen;
    }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return woken;
  }

 private:
  std::atomic<int> waiting_{0};
  Mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ DSTA_GUARDED_BY(mutex_) = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
