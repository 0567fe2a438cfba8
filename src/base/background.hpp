#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/executor.hpp>

#include "base/mutex.hpp"
#include "base/task_list.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A manager's background work: tasks on the executor, and jobs that run at intervals. Ends all of it together.
/// Thread-safe.
class Background : public std::enable_shared_from_this<Background> {
 public:
  /// `executor` null: a pool of its own, made when first needed.
  Background(std::shared_ptr<Clock> clock, std::shared_ptr<Executor> executor);
  ~Background();

  /// False: no room, or closed. A task that was accepted but has not begun when close() is called never begins; it is
  /// destroyed instead.
  bool post(std::function<void()> task);

  /// Runs `job` every `interval`, first after one interval, until what is returned is gone. A run that is still under
  /// way when the next is due makes it skip that one.
  std::shared_ptr<void> every(Duration interval, std::function<void()> job);

  /// Where there was no thread to be had for schedules. Costs a load otherwise.
  void tend() noexcept {
    if (lacks_timer_.load(std::memory_order_relaxed)) [[unlikely]]
      start_timer_again();
  }

  /// True on a thread that runs a task of any Background.
  static bool on_task() noexcept { return TaskList::on_task(); }

  /// Begins nothing more and waits at most `patience` (real time) for what runs on other threads: it may be called by a
  /// task of its own.
  void close(std::chrono::milliseconds patience) noexcept;

 private:
  struct Schedule;
  void run_schedule();
  std::shared_ptr<Schedule> next_due(TimePoint& wake_at) DSTA_REQUIRES(mutex_);
  void post_run(std::shared_ptr<Schedule> schedule) noexcept;
  void start_timer() DSTA_REQUIRES(mutex_);
  void start_timer_again();

  const std::shared_ptr<TaskList> tasks_;
  const std::shared_ptr<Clock> clock_;
  Mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<Executor> executor_ DSTA_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Schedule>> schedules_ DSTA_GUARDED_BY(mutex_);
  std::thread timer_ DSTA_GUARDED_BY(mutex_);
  bool closed_ DSTA_GUARDED_BY(mutex_) = false;
  std::atomic<bool> lacks_timer_{false};
  /// For an executor that must not be waited for: made beforehand, since there may be no memory when it is needed.
  struct LeftBehind {
    std::shared_ptr<Executor> pool;
    LeftBehind* next = nullptr;
  };
  std::unique_ptr<LeftBehind> left_behind_ = std::make_unique<LeftBehind>();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
