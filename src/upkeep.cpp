#include "upkeep.hpp"

#include <algorithm>

#include "l2/fork_count.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Upkeep::poke(TimePoint time) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || next_ <= time) return;
  next_ = time;
  if (!thread_.joinable()) {
    forks_ = fork_count();
    thread_ = std::thread([this] { run(); });
  } else {
    wake_.notify_all();
  }
}

void Upkeep::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (std::chrono::steady_clock::now() < next_) {
      if (next_ == TimePoint::max()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, next_);
      }
      continue;
    }
    next_ = TimePoint::max();
    lock.unlock();
    const TimePoint next = step_();
    lock.lock();
    next_ = std::min(next_, next);
  }
}

void Upkeep::stop() noexcept {
  std::thread ending;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
    ending.swap(thread_);
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
