#include "load/admission.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Admission::set(const LoadLimit& limit) {
  const MutexLock lock(mutex_);
  limit_ = limit;
  admit();
}

bool Admission::try_enter() {
  const MutexLock lock(mutex_);
  if (!open_ && (running_ >= limit_.concurrent || !queue_.empty())) return false;
  ++running_;
  return true;
}

bool Admission::enter() {
  MutexLock lock(mutex_);
  if (open_ || (running_ < limit_.concurrent && queue_.empty())) {
    ++running_;
    return true;
  }
  if (queue_.size() >= limit_.queue) return false;
  Waiting me;
  queue_.push_back(&me);
  while (!me.admitted) me.wake.wait(lock.native());
  return true;
}

void Admission::enter_again() {
  const MutexLock lock(mutex_);
  ++running_;
}

void Admission::leave() {
  const MutexLock lock(mutex_);
  --running_;
  admit();
}

void Admission::open() {
  const MutexLock lock(mutex_);
  open_ = true;
  admit();
}

void Admission::admit() {
  while (!queue_.empty() && (open_ || running_ < limit_.concurrent)) {
    Waiting& next = *queue_.front();
    queue_.pop_front();
    ++running_;
    next.admitted = true;
    next.wake.notify_one();  // under the lock: `next` is gone once its thread is through
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
