#pragma once
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>

#include <dsta/cache/duration.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Where threads of this process wait for loads of other processes. A change of the entry that the invalidation channel
/// reports wakes them, since it may be the end of such a load; without a channel they look again after a pause.
/// Thread-safe.
///
/// Idea: keys are spread over 64 places by their hash, so that changes of other keys, of which there may be thousands
/// a second, wake hardly anybody.
class ForeignLoads {
 public:
  /// The keys that a thread waits for: a bit for each one's place.
  using Keys = std::uint64_t;
  static Keys key(std::uint64_t hash) { return Keys{1} << (hash % kPlaces); }
  static constexpr Keys kAllKeys = ~Keys{0};

  /// They changed at L2. Costs one load of an atomic while nobody waits.
  void wake(Keys keys) {
    if (waiting_.load(std::memory_order_acquire) == 0) return;
    {
      const MutexLock lock(mutex_);
      ++changes_;
      for (std::size_t place = 0; place < kPlaces; ++place) {
        if (keys & key(place)) last_change_[place] = changes_;
      }
      if ((keys & waited_for()) == 0) return;
    }
    changed_.notify_all();
  }

  /// Waits for the next change of one of them, and for `pause` at most. False: the pause is over.
  bool wait(Keys keys, Duration pause) {
    waiting_.fetch_add(1, std::memory_order_acq_rel);
    const TimePoint end = std::chrono::steady_clock::now() + pause;
    bool woken = false;
    {
      MutexLock lock(mutex_);
      count(keys, 1);
      const std::uint64_t seen = changes_;
      while (!changed_since(keys, seen) && changed_.wait_until(lock.native(), end) == std::cv_status::no_timeout) {
      }
      woken = changed_since(keys, seen);
      count(keys, -1);
    }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return woken;
  }

 private:
  static constexpr std::size_t kPlaces = 64;

  void count(Keys keys, int by) DSTA_REQUIRES(mutex_) {
    for (std::size_t place = 0; place < kPlaces; ++place) {
      if (keys & key(place)) waiters_[place] += by;
    }
  }
  Keys waited_for() const DSTA_REQUIRES(mutex_) {
    Keys keys = 0;
    for (std::size_t place = 0; place < kPlaces; ++place) {
      if (waiters_[place] != 0) keys |= key(place);
    }
    return keys;
  }
  bool changed_since(Keys keys, std::uint64_t seen) const DSTA_REQUIRES(mutex_) {
    for (std::size_t place = 0; place < kPlaces; ++place) {
      if ((keys & key(place)) && last_change_[place] > seen) return true;
    }
    return false;
  }

  std::atomic<int> waiting_{0};
  Mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ DSTA_GUARDED_BY(mutex_) = 0;
  std::array<std::uint64_t, kPlaces> last_change_ DSTA_GUARDED_BY(mutex_) = {};
  std::array<int, kPlaces> waiters_ DSTA_GUARDED_BY(mutex_) = {};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
