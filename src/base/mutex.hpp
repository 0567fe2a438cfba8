#pragma once
#include <mutex>

#include "base/thread_annotations.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// std::mutex that clang's thread-safety analysis knows: what is DSTA_GUARDED_BY it cannot be touched without it.
class DSTA_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() DSTA_ACQUIRE() { mutex_.lock(); }
  void unlock() DSTA_RELEASE() { mutex_.unlock(); }
  bool try_lock() DSTA_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class MutexLock;
  friend class MutexUnlock;
  std::mutex mutex_;
};

/// Holds a Mutex to the end of its scope. May let go of it and take it again meanwhile.
///
/// To wait for a condition write the loop out, `while (!condition) wake.wait(lock.native());`: the analysis does not
/// see into a predicate.
class DSTA_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DSTA_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() DSTA_RELEASE() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() DSTA_RELEASE() { lock_.unlock(); }
  void lock() DSTA_ACQUIRE() { lock_.lock(); }
  /// For condition variables, which give the mutex back as they found it.
  std::unique_lock<std::mutex>& native() { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

/// Releases a Mutex that the caller holds, to the end of its scope, and then takes it again, also after an exception.
/// For functions that require the mutex and must not hold it while they wait.
class DSTA_SCOPED_CAPABILITY MutexUnlock {
 public:
  explicit MutexUnlock(Mutex& mutex) DSTA_RELEASE(mutex) : mutex_(mutex.mutex_) { mutex_.unlock(); }
  ~MutexUnlock() DSTA_RELEASE() { mutex_.lock(); }
  MutexUnlock(const MutexUnlock&) = delete;
  MutexUnlock& operator=(const MutexUnlock&) = delete;

 private:
  std::mutex& mutex_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
