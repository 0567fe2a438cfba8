#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <dsta/cache/warmer.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {

/// Whether the warmer is gone. A thread that waits for its jitter to pass waits for this, too. Thread-safe.
struct CacheWarmer::Stop {
  void stop() noexcept {
    {
      const detail::MutexLock lock(mutex);
      stopped = true;
    }
    wake.notify_all();
  }

  detail::Mutex mutex;
  std::condition_variable wake;
  std::atomic<bool> stopped{false};  ///< written under the mutex, so that no wait misses it
};

/// One run of a warmer, shared by the threads that work on it: each takes the next item until none is left. Whatever
/// fails, every item taken is counted as finished: the caller waits for all of them. Thread-safe.
struct CacheWarmer::Run {
  std::vector<Item> items;
  Duration jitter{};
  std::function<void(const WarmProgress&)> on_progress;
  std::shared_ptr<Stop> stop;
  std::shared_ptr<detail::Core> core;

  /// Takes items until none is left.
  void work() noexcept;
  /// Waits until every item is finished. Throws what on_progress has thrown.
  WarmReport wait();

 private:
  static std::string key_of(const Item& item);
  void warm(const Item& item) noexcept;
  void report_warmed(const Item& item, const std::exception_ptr& error) noexcept DSTA_REQUIRES(mutex_);
  /// False: the warmer or the manager is gone.
  bool wait_jitter(std::minstd_rand& random) noexcept;

  std::atomic<std::size_t> next_{0};
  detail::Mutex mutex_;
  std::condition_variable wake_;
  std::size_t finished_ DSTA_GUARDED_BY(mutex_) = 0;
  WarmReport report_ DSTA_GUARDED_BY(mutex_);
  std::exception_ptr thrown_ DSTA_GUARDED_BY(mutex_);  ///< by on_progress, which is then not called again
};

/// What an error says, for reports and logs.
std::string describe(const std::exception_ptr& error);

}  // namespace v1
}  // namespace dsta::cache
