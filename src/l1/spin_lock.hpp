#pragma once
#include <sched.h>

#include <atomic>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// For sections of some tens of nanoseconds: spins, then yields to whoever holds it. Meets BasicLockable.
class SpinLock {
 public:
  void lock() noexcept {
    for (unsigned round = 0; held_.exchange(true, std::memory_order_acquire); ++round) {
      for (unsigned spin = 0; spin < 64 && held_.load(std::memory_order_relaxed); ++spin) pause();
      if (round > 1) sched_yield();
    }
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

 private:
  static void pause() noexcept {
#if defined(__x86_64__)
    _mm_pause();
#endif
  }
  std::atomic<bool> held_{false};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
