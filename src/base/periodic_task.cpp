#include "base/periodic_task.hpp"

#include <algorithm>
#include <exception>

#include "base/fork_count.hpp"
#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
constexpr std::chrono::milliseconds kAfterFailure{100};
/// Between attempts to start a thread by those who pass.
constexpr std::chrono::milliseconds kNextAttempt{500};
}  // namespace

bool PeriodicTask::wake(TimePoint time) noexcept {
  const MutexLock lock(mutex_);
  if (stopped_ || (next_ <= time && thread_.joinable())) return true;
  next_ = std::min(next_, time);
  if (!start()) return false;
  wake_.notify_all();
  return true;
}

bool PeriodicTask::start() {
  if (!thread_.joinable()) {
    thread_ = start_thread(name_, [this] { run(); });
    forks_ = fork_count();
  }
  lacks_thread_.store(!thread_.joinable(), std::memory_order_relaxed);
  return thread_.joinable();
}

void PeriodicTask::stand_in() noexcept {
  MutexLock lock(mutex_);
  if (stopped_ || standing_in_) return;
  const TimePoint now = std::chrono::steady_clock::now();
  if (now >= next_attempt_) {
    next_attempt_ = now + kNextAttempt;
    if (start()) return;
  }
  if (now < next_) return;
  standing_in_ = true;
  next_ = TimePoint::max();
  lock.unlock();
  const TimePoint next = step();
  lock.lock();
  next_ = std::min(next_, next);
  standing_in_ = false;
  wake_.notify_all();
}

TimePoint PeriodicTask::step() noexcept {
  try {
    return step_();
  } catch (const std::exception&) {
    return std::chrono::steady_clock::now() + kAfterFailure;
  }
}

void PeriodicTask::run() {
  MutexLock lock(mutex_);
  while (!stopped_) {
    if (standing_in_ || std::chrono::steady_clock::now() < next_) {
      if (standing_in_ || next_ == TimePoint::max()) {
        wake_.wait(lock.native());
      } else {
        wake_.wait_until(lock.native(), next_);
      }
      continue;
    }
    next_ = TimePoint::max();
    lock.unlock();
    const TimePoint next = step();
    lock.lock();
    next_ = std::min(next_, next);
  }
}

void PeriodicTask::stop() noexcept {
  std::thread ending;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
    ending.swap(thread_);
    while (standing_in_) wake_.wait(lock.native());
  }
  if (!ending.joinable()) return;
  if (forks_ == fork_count()) {
    ending.join();
  } else {
    new std::thread(std::move(ending));  // the parent's: it can be neither joined nor let go of here
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
