#include "base/log_queue.hpp"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <thread>
#include <utility>

#include "base/mutex.hpp"
#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct LogQueue::State : std::enable_shared_from_this<State> {
  explicit State(Log to) : log(std::move(to)) {}

  struct Message {
    LogLevel level;
    std::string text;
  };

  const Log log;
  std::atomic<bool> lacks_thread{false};
  Mutex mutex;
  std::condition_variable changed;
  std::deque<Message> waiting DSTA_GUARDED_BY(mutex);
  std::size_t left_out DSTA_GUARDED_BY(mutex) = 0;
  bool writing DSTA_GUARDED_BY(mutex) = false;
  bool closed DSTA_GUARDED_BY(mutex) = false;
  std::thread thread DSTA_GUARDED_BY(mutex);

  bool written() const DSTA_REQUIRES(mutex) { return waiting.empty() && left_out == 0 && !writing; }

  void start() noexcept DSTA_REQUIRES(mutex) {
    if (!thread.joinable()) thread = start_thread("dsta-log", [self = shared_from_this()] { self->run(); });
    lacks_thread.store(!thread.joinable(), std::memory_order_relaxed);
  }

  void run() noexcept {
    MutexLock lock(mutex);
    for (;;) {
      while (!closed && written()) changed.wait(lock.native());
      if (written()) return;
      write_one();
    }
  }

  /// Without the mutex while it writes.
  void write_one() noexcept DSTA_REQUIRES(mutex) {
    writing = true;
    if (waiting.empty()) {
      const std::size_t count = std::exchange(left_out, 0);
      mutex.unlock();
      write_count(count);
    } else {
      const Message next = std::move(waiting.front());
      waiting.pop_front();
      mutex.unlock();
      log.write(next.level, next.text);
    }
    mutex.lock();
    writing = false;
    changed.notify_all();
  }

  void write_count(std::size_t count) const noexcept {
    try {
      log.write(LogLevel::warning, fmt::format("{} messages were dropped: the log sink is too slow", count));
    } catch (const std::exception&) {  // no memory to say so
    }
  }
};

LogQueue::LogQueue(Log log) : state_(std::make_shared<State>(std::move(log))) {}

LogQueue::~LogQueue() { close(std::chrono::milliseconds(0)); }

void LogQueue::post(LogLevel level, std::string message) noexcept {
  State& state = *state_;
  if (level < state.log.level || state.log.level == LogLevel::off) return;
  const MutexLock lock(state.mutex);
  if (state.closed) return;
  try {
    if (state.waiting.size() < kMost) {
      state.waiting.push_back({level, std::move(message)});
    } else {
      ++state.left_out;
    }
  } catch (const std::exception&) {  // no memory
    ++state.left_out;
  }
  state.start();
  state.changed.notify_all();
}

void LogQueue::tend() noexcept {
  if (!state_->lacks_thread.load(std::memory_order_relaxed)) return;
  const MutexLock lock(state_->mutex);
  if (!state_->closed) state_->start();
}

void LogQueue::close(std::chrono::milliseconds patience) noexcept {
  State& state = *state_;
  const auto end = std::chrono::steady_clock::now() + patience;
  MutexLock lock(state.mutex);
  state.closed = true;
  state.changed.notify_all();
  if (!state.thread.joinable()) {  // there was none to be had: what waits is written here
    while (!state.written() && std::chrono::steady_clock::now() < end) state.write_one();
    return;
  }
  const bool own = state.thread.get_id() == std::this_thread::get_id();  // the sink ends the manager
  bool in_time = true;
  while (!own && in_time && !state.written()) {
    in_time = state.changed.wait_until(lock.native(), end) == std::cv_status::no_timeout;
  }
  const bool done = !own && state.written();
  state.waiting.clear();
  state.left_out = 0;
  std::thread ending = std::move(state.thread);
  lock.unlock();
  done ? ending.join() : ending.detach();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
