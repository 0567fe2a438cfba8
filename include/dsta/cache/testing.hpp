#pragma once
/// For tests of programs that use the cache: a clock that the test moves, an executor that runs background work at
/// once, a fault of the server that is turned on and off, and a fresh cache for each test.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/executor.hpp>
#include <dsta/cache/manager.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace testing {

/// A clock that only advance() moves. It starts at 1000 h. Thread-safe.
class ManualClock final : public Clock {
 public:
  /// The time; at first an arbitrary one.
  TimePoint now() const noexcept override { return TimePoint(Duration(now_.load(std::memory_order_acquire))); }

  /// Moves the clock, and wakes every waiter whose deadline is reached.
  void advance(Duration by) {
    now_.fetch_add(by.count(), std::memory_order_acq_rel);
    // A waiter is on the list from before it reads the time until after it wakes: it sees the new time or the wake-up.
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Waiter* waiter : waiters_) {
      const std::lock_guard<std::mutex> hold(*waiter->mutex);
      waiter->wake->notify_all();
    }
  }

  /// Waits until woken, until advance() reaches `deadline`, or for at most 5 ms of real time.
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimePoint deadline) override {
    // advance() locks the list first and then a waiter's mutex: the same order here.
    Waiter waiter{lock.mutex(), &wake};
    lock.unlock();
    {
      const std::lock_guard<std::mutex> list(mutex_);
      waiters_.insert(&waiter);
    }
    lock.lock();
    if (now() < deadline) wake.wait_for(lock, kLook);
    lock.unlock();
    {
      const std::lock_guard<std::mutex> list(mutex_);
      waiters_.erase(&waiter);
    }
    lock.lock();
    return now() >= deadline;
  }

 private:
  struct Waiter {
    std::mutex* mutex;
    std::condition_variable* wake;
  };
  /// A notification between wait_until's unlock and its wait would be lost, so no wait is longer than this.
  static constexpr std::chrono::milliseconds kLook{5};

  std::atomic<Duration::rep> now_{std::chrono::hours(1000).count() * 3'600'000'000'000};
  std::mutex mutex_;
  std::set<Waiter*> waiters_;  // under mutex_
};

/// Runs background work at once, on the thread that requests it: refreshes, warming, loads with a load_timeout. Then a
/// test is deterministic and waits for nothing. Thread-safe.
///     CleanCache clean{{.executor = std::make_shared<InlineExecutor>()}};
class InlineExecutor final : public Executor {
 public:
  /// Runs the task before it returns. True.
  bool try_post(std::function<void()> task) override {
    task();
    return true;
  }
};

/// Simulates a cache whose server does not respond; switch it on and off. Works only without a server, as in
/// CleanCache.
///
/// While it is on, reads find nothing, wrapped functions and loads run each time, writes are not stored, counters
/// return nullopt, and check_health reports an error. Nothing throws. When it is off again the cache works and is
/// empty. The manager must outlive it. Thread-safe.
class ServerFault {
 public:
  /// Off at first. Throws ConfigError for a cache with a server.
  explicit ServerFault(CacheManager& cache) : core_(cache.core()) { core_->set_fault(false); }
  /// Off.
  ~ServerFault() { off(); }
  ServerFault(const ServerFault&) = delete;
  ServerFault& operator=(const ServerFault&) = delete;

  /// From now on. A load in progress is not stored.
  void on() { core_->set_fault(true); }
  /// As before.
  void off() { core_->set_fault(false); }

 private:
  const std::shared_ptr<detail::Core> core_;
};

/// A clean in-process cache on a manual clock: derive a fixture from it, or have one as a member. `cache` is as
/// thread-safe as any manager.
///     struct PriceTest : ::testing::Test, dsta::cache::testing::CleanCache {};
class CleanCache {
 public:
  /// A cache with these options, but for their clock. Throws ConfigError.
  explicit CleanCache(ManagerOptions options = {}) : cache(with(std::move(options), clock)) {}

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();  ///< the clock of `cache`
  CacheManager cache;                                                    ///< in this process alone

 private:
  static ManagerOptions with(ManagerOptions options, std::shared_ptr<ManualClock> clock) {
    options.clock = std::move(clock);
    return options;
  }
};

}  // namespace testing
}  // namespace v1
}  // namespace dsta::cache
