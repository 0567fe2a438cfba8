#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/executor.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A manager's background work: posts tasks to the executor, knows which of them run, and ends them together.
/// Thread-safe.
class Background : public std::enable_shared_from_this<Background> {
 public:
  /// `executor` null: a pool of its own, made when first needed.
  Background(std::shared_ptr<Clock> clock, std::shared_ptr<Executor> executor);
  ~Background();

  /// False: no room, or closed. A task that was accepted but has not begun when close() is called never begins; it is
  /// destroyed instead.
  bool post(std::function<void()> task);

  /// Runs `job` every `interval`, first after one interval, until the returned token is gone. A run that is still under
  /// way when the next is due makes it skip that one.
  std::shared_ptr<void> every(Duration interval, std::function<void()> job);

  /// Where there was no thread to be had for schedules. Costs a load otherwise.
  void tend() noexcept {
    if (lacks_timer_.load(std::memory_order_relaxed)) [[unlikely]]
      try_again();
  }

  /// True on a thread that runs a task of any Background.
  static bool on_task() noexcept;

  /// Begins nothing more and waits at most `patience` (real time) for what runs on other threads: it may be called by a
  /// task of its own.
  void close(std::chrono::milliseconds patience) noexcept;

 private:
  struct State;
  struct Running;
  class Ticket;
  struct Schedule;
  void run_schedule();
  void run_behind(std::shared_ptr<Schedule> schedule) noexcept;
  void start_timer();
  void try_again();

  std::shared_ptr<State> state_;
  std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  // Under mutex_.
  std::shared_ptr<Executor> executor_;
  std::vector<std::weak_ptr<Schedule>> schedules_;
  std::condition_variable wake_;
  std::thread timer_;
  bool closed_ = false;
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
