#pragma once
#include <condition_variable>
#include <thread>
#include <utility>

#include <dsta/cache/warmer.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {

/// The scheduled jobs of a warmer that run now. Thread-safe. Takes no memory, so a job can always leave.
struct CacheWarmer::Jobs {
  /// A job on this thread, as long as it lives.
  class Entry {
   public:
    explicit Entry(Jobs& jobs) : jobs_(jobs) {
      const detail::MutexLock lock(jobs_.mutex_);
      if (jobs_.closed_) return;
      next_ = std::exchange(jobs_.running_, this);
      begun_ = true;
    }
    ~Entry() {
      if (!begun_) return;
      const detail::MutexLock lock(jobs_.mutex_);
      Entry** link = &jobs_.running_;
      while (*link != this) link = &(*link)->next_;
      *link = next_;
      jobs_.left_.notify_all();
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    /// False: the warmer is gone, do not begin.
    bool begun() const { return begun_; }

   private:
    friend struct Jobs;
    Jobs& jobs_;
    const std::thread::id thread_ = std::this_thread::get_id();
    Entry* next_ = nullptr;
    bool begun_ = false;
  };

  /// Begins no more and waits for those on other threads.
  void close() {
    detail::MutexLock lock(mutex_);
    closed_ = true;
    while (others_run()) left_.wait(lock.native());
  }

 private:
  bool others_run() const DSTA_REQUIRES(mutex_) {
    for (const Entry* entry = running_; entry; entry = entry->next_) {
      if (entry->thread_ != std::this_thread::get_id()) return true;
    }
    return false;
  }

  detail::Mutex mutex_;
  std::condition_variable left_;
  bool closed_ DSTA_GUARDED_BY(mutex_) = false;
  Entry* running_ DSTA_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace v1
}  // namespace dsta::cache
