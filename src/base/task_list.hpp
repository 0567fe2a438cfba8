#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>

#include <dsta/cache/executor.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The tasks that one owner gave to an executor: those that wait and those that run. Thread-safe. Shared with the
/// tasks, which may outlive the owner when they take longer than it waits.
///
/// Tasks that wait are kept here and not in the executor, which only gets a ticket for each: so close() can destroy
/// them at once, whatever the executor is busy with. A thread may be waiting for one of them to run or to be destroyed.
class TaskList : public std::enable_shared_from_this<TaskList> {
 public:
  /// False: no room, or closed. A task that was accepted but has not begun when close() is called never begins; it is
  /// destroyed instead.
  bool post(Executor& executor, std::function<void()> task);

  /// Begins nothing more and waits at most `patience` (real time) for what runs on other threads: it may be called by a
  /// task of its own. False: something runs still.
  bool close(std::chrono::milliseconds patience) noexcept;

  /// True on a thread that runs a task of any list.
  static bool on_task() noexcept;

 private:
  using Tasks = std::list<std::function<void()>>;
  struct Running;
  class Ticket;

  Mutex mutex_;
  std::condition_variable idle_;
  bool closed_ DSTA_GUARDED_BY(mutex_) = false;
  std::size_t running_ DSTA_GUARDED_BY(mutex_) = 0;
  Tasks waiting_ DSTA_GUARDED_BY(mutex_);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
