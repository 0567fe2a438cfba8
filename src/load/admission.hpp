#pragma once
#include <condition_variable>
#include <deque>

#include <dsta/cache/options.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The places for the loads of one prefix, and the bounded queue for them, first come first served. Thread-safe.
class Admission {
 public:
  explicit Admission(const LoadLimit& limit) : limit_(limit) {}
  void set(const LoadLimit& limit);

  /// A place if one is free and nobody waits for it.
  bool try_enter();
  /// Waits for a place. False: the queue is full.
  bool enter();
  /// A place over the limit if need be, for a load that gave up its own while it waited.
  void enter_again();
  void leave();
  /// Lets everybody in from now on.
  void open();

 private:
  struct Waiting {
    std::condition_variable wake;
    bool admitted = false;
  };
  void admit() DSTA_REQUIRES(mutex_);

  Mutex mutex_;
  LoadLimit limit_ DSTA_GUARDED_BY(mutex_);
  std::size_t running_ DSTA_GUARDED_BY(mutex_) = 0;
  std::deque<Waiting*> queue_ DSTA_GUARDED_BY(mutex_);
  bool open_ DSTA_GUARDED_BY(mutex_) = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
