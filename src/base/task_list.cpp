#include "base/task_list.hpp"

#include <exception>
#include <utility>

#include "base/saturating_add.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A task that this thread runs, for as long as it lives; inside another one where an executor runs tasks at once.
struct TaskList::Running {
  explicit Running(const TaskList& of) : list(&of), outer(std::exchange(innermost, this)) {}
  ~Running() { innermost = outer; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  static std::size_t count(const TaskList& of) {
    std::size_t sum = 0;
    for (const Running* running = innermost; running; running = running->outer) sum += running->list == &of ? 1 : 0;
    return sum;
  }

  static constinit thread_local Running* innermost;
  const TaskList* const list;
  Running* const outer;
};
constinit thread_local TaskList::Running* TaskList::Running::innermost = nullptr;

bool TaskList::on_task() noexcept { return Running::innermost != nullptr; }

/// One use: the executor runs it, or destroys it and the task with it.
class TaskList::Ticket {
 public:
  explicit Ticket(std::shared_ptr<TaskList> list) : list_(std::move(list)) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() { claim(false); }

  /// False: closed.
  bool take(std::function<void()> task) {
    const MutexLock lock(list_->mutex_);
    if (list_->closed_) return false;
    place_ = list_->waiting_.insert(list_->waiting_.end(), std::move(task));
    return valid_ = true;
  }

  void run() {
    Tasks own = claim(true);
    if (own.empty()) return;
    {
      const Running running(*list_);
      try {
        own.front()();
      } catch (const std::exception&) {  // no memory: what it was to say or to free afterwards is left undone
      }
      // What the task holds is destroyed before it counts as ended: close() may wait for it.
      own.clear();
    }
    const MutexLock lock(list_->mutex_);
    --list_->running_;
    list_->idle_.notify_all();
  }

 private:
  /// The task, to be run (and counted as running from now on) or destroyed outside the lock; none when it was claimed
  /// before or close() destroyed it.
  Tasks claim(bool to_run) {
    Tasks own;
    const MutexLock lock(list_->mutex_);
    if (std::exchange(valid_, false) && !list_->closed_) {
      own.splice(own.begin(), list_->waiting_, place_);
      if (to_run) ++list_->running_;
    }
    return own;
  }

  const std::shared_ptr<TaskList> list_;
  Tasks::iterator place_;  // the list's mutex guards these two
  bool valid_ = false;
};

bool TaskList::post(Executor& executor, std::function<void()> task) {
  auto ticket = std::make_shared<Ticket>(shared_from_this());
  if (!ticket->take(std::move(task))) return false;
  try {
    return executor.try_post([ticket = std::move(ticket)] { ticket->run(); });
  } catch (...) {  // no thread to be had, say: as good as full
    return false;
  }
}

bool TaskList::close(std::chrono::milliseconds patience) noexcept {
  Tasks dropped;
  MutexLock lock(mutex_);
  closed_ = true;
  dropped.swap(waiting_);
  lock.unlock();
  dropped.clear();
  const TimePoint end = saturating_add(std::chrono::steady_clock::now(), patience);
  lock.lock();
  const std::size_t own = Running::count(*this);
  while (running_ != own) {
    if (idle_.wait_until(lock.native(), end) == std::cv_status::timeout) return running_ == own;
  }
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
