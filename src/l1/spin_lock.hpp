#pragma once
#include <sched.h>

#include <atomic>
#include <cassert>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/thread_annotations.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// For sections of some tens of nanoseconds: spins, then yields to whoever holds it. Thread-safe; not recursive.
class DSTA_CAPABILITY("spin lock") SpinLock {
 public:
  void lock() noexcept DSTA_ACQUIRE() {
    for (unsigned round = 0; held_.exchange(true, std::memory_order_acquire); ++round) {
      for (unsigned spin = 0; spin < 64 && held_.load(std::memory_order_relaxed); ++spin) pause();
      if (round > 1) sched_yield();
    }
  }
  void unlock() noexcept DSTA_RELEASE() { held_.store(false, std::memory_order_release); }

  /// Tells the analysis that the caller holds it, where it cannot see that: in a lambda, or behind a reference.
  void assert_held() const noexcept DSTA_ASSERT_CAPABILITY(this) { assert(held_.load(std::memory_order_relaxed)); }

 private:
  static void pause() noexcept {
#if defined(__x86_64__)
    _mm_pause();
#endif
  }
  std::atomic<bool> held_{false};
};

/// Holds a SpinLock to the end of its scope.
class DSTA_SCOPED_CAPABILITY SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) noexcept DSTA_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~SpinGuard() DSTA_RELEASE() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
