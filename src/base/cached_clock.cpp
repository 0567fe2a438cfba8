#include "base/cached_clock.hpp"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <new>
#include <thread>

#include <dsta/cache/detail/coarse_clock.hpp>

#include "base/mutex.hpp"
#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

constinit std::atomic<std::int64_t> CachedClock::tick_{0};

namespace {
constexpr std::chrono::milliseconds kPeriod{1}, kLate{8};
constexpr std::chrono::seconds kTerm{1};
/// A tick may be older than the coarse clock by one period and one step of that clock, which is up to 10 ms.
constexpr std::chrono::milliseconds kCurrent{12};
/// A thread that reads the clock so often within kBusyTime is busy.
constexpr std::uint32_t kBusyReads = 4096;
constexpr std::chrono::milliseconds kBusyTime{50};
}  // namespace

/// The thread that ticks. Lives until the program ends, asleep unless wanted; never destroyed, since readers may be
/// running in other threads to the very end.
class Ticker {
 public:
  static Ticker& instance() {
    // In static memory: a reader of the clock can do without the thread, but not without this.
    alignas(Ticker) static unsigned char memory[sizeof(Ticker)];
    static auto* ticker = new (memory) Ticker;
    return *ticker;
  }

  /// Never waits: a reader that cannot have the mutex at once reads the clock a little longer.
  void want() noexcept {
    if (!mutex_.try_lock()) return;
    // Without a thread the clock does as well.
    if (!wanted_ && has_thread()) {
      wanted_ = true;
      wake_.notify_one();
    }
    mutex_.unlock();
  }

 private:
  Ticker() { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

  // The analysis does not see that the first of these is always followed by one of the others.
  static void before_fork() DSTA_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.lock(); }
  static void after_fork_in_parent() DSTA_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.unlock(); }
  static void after_fork_in_child() DSTA_NO_THREAD_SAFETY_ANALYSIS {
    // The child has the words but not the thread.
    CachedClock::tick_.store(0, std::memory_order_relaxed);
    instance().running_ = instance().wanted_ = false;
    instance().mutex_.unlock();
  }

  bool has_thread() noexcept DSTA_REQUIRES(mutex_) {
    running_ = running_ || start_detached_thread("dsta-tick", [this] { run(); });
    return running_;
  }

  void run() {
    MutexLock lock(mutex_);
    for (;;) {
      while (!wanted_) wake_.wait(lock.native());
      lock.unlock();
      tick_for_a_term();
      lock.lock();
      wanted_ = false;
    }
  }

  static void tick_for_a_term() {
    using Steady = std::chrono::steady_clock;
    const auto end = Steady::now() + kTerm;
    for (auto last = Steady::now(); last < end;) {
      CachedClock::tick_.store(coarse_now().time_since_epoch().count(), std::memory_order_relaxed);
      std::this_thread::sleep_for(kPeriod);
      const auto now = Steady::now();
      if (now - last > kLate) break;
      last = now;
    }
    CachedClock::tick_.store(0, std::memory_order_relaxed);
  }

  Mutex mutex_;
  std::condition_variable wake_;
  bool running_ DSTA_GUARDED_BY(mutex_) = false;
  bool wanted_ DSTA_GUARDED_BY(mutex_) = false;
};

TimePoint CachedClock::read_clock() noexcept {
  const TimePoint now = coarse_now();
  constinit thread_local std::uint32_t reads = 0;
  constinit thread_local std::int64_t since = 0;
  if (++reads >= kBusyReads) {
    const std::int64_t time = now.time_since_epoch().count();
    if (time - since < std::chrono::nanoseconds(kBusyTime).count()) Ticker::instance().want();
    since = time;
    reads = 0;
  }
  return now;
}

TimePoint CachedClock::now_after_break(bool& ticks) noexcept {
  const std::int64_t tick = tick_.load(std::memory_order_relaxed);
  ticks = false;
  if (tick == 0) return read_clock();
  const TimePoint now = coarse_now();
  ticks = now - TimePoint(Duration(tick)) < kCurrent;
  return now;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
