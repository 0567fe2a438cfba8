#include "upkeep.hpp"

#include <algorithm>
#include <exception>

#include "l2/fork_count.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
constexpr std::chrono::milliseconds kAfterFailure{100};
}

bool Upkeep::poke(TimePoint time) noexcept {
  const std::lock_guard lock(mutex_);
  if (stopped_ || next_ <= time) return true;
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::exception&) {
      return false;
    }
    forks_ = fork_count();
  }
  next_ = time;
  wake_.notify_all();
  return true;
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
    TimePoint next;
    try {
      next = step_();
    } catch (const std::exception&) {
      next = std::chrono::steady_clock::now() + kAfterFailure;
    }
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
