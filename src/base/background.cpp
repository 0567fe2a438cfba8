#include "base/background.hpp"

#include <algorithm>
#include <exception>
#include <list>
#include <utility>

#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Shared with the tasks, which may outlive the Background when they overrun its patience.
///
/// Tasks that wait are kept here and not in the executor, which only gets a ticket for each: so close() can let go of
/// them at once, whatever the executor is busy with. Somebody may be waiting for one of them to run or to be dropped.
struct Background::State {
  using Tasks = std::list<std::function<void()>>;
  std::mutex mutex;
  std::condition_variable idle;
  // Under mutex.
  bool closed = false;
  std::size_t running = 0;
  Tasks waiting;
};

/// A task that this thread runs, for as long as it lives; inside another one where an executor runs tasks at once.
struct Background::Running {
  explicit Running(const State& of) : state(&of), outer(std::exchange(innermost, this)) {}
  ~Running() { innermost = outer; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  static std::size_t count(const State& of) {
    std::size_t sum = 0;
    for (const Running* running = innermost; running; running = running->outer) sum += running->state == &of ? 1 : 0;
    return sum;
  }

  static constinit thread_local Running* innermost;
  const State* const state;
  Running* const outer;
};
constinit thread_local Background::Running* Background::Running::innermost = nullptr;

bool Background::on_task() noexcept { return Running::innermost != nullptr; }

/// One use: the executor runs it, or drops it and the task with it.
class Background::Ticket {
 public:
  explicit Ticket(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() { claim(false); }

  /// False: closed.
  bool take(std::function<void()> task) {
    const std::lock_guard lock(state_->mutex);
    if (state_->closed) return false;
    place_ = state_->waiting.insert(state_->waiting.end(), std::move(task));
    return valid_ = true;
  }

  void run() {
    State::Tasks own = claim(true);
    if (own.empty()) return;
    {
      const Running running(*state_);
      try {
        own.front()();
      } catch (const std::exception&) {  // no memory: what it was to say or to free behind is left undone
      }
      // What the task holds is let go before it counts as ended: it may be what close() waits for.
      own.clear();
    }
    const std::lock_guard lock(state_->mutex);
    --state_->running;
    state_->idle.notify_all();
  }

 private:
  /// The task, to be run (and counted as running from now on) or destroyed outside the lock; none when it was claimed
  /// before or close() dropped it.
  State::Tasks claim(bool to_run) {
    State::Tasks own;
    const std::lock_guard lock(state_->mutex);
    if (std::exchange(valid_, false) && !state_->closed) {
      own.splice(own.begin(), state_->waiting, place_);
      if (to_run) ++state_->running;
    }
    return own;
  }

  std::shared_ptr<State> state_;
  State::Tasks::iterator place_;
  bool valid_ = false;
};

struct Background::Schedule {
  Duration interval{};
  TimePoint due;
  std::function<void()> job;
  std::atomic<bool> running{false};
  bool wanted = false;  ///< its time has come; the timer's own
};

Background::Background(std::shared_ptr<Clock> clock, std::shared_ptr<Executor> executor)
    : state_(std::make_shared<State>()), clock_(std::move(clock)), executor_(std::move(executor)) {}

Background::~Background() { close(std::chrono::milliseconds(0)); }

bool Background::post(std::function<void()> task) {
  std::shared_ptr<Executor> executor;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    if (!executor_) executor_ = thread_pool();
    executor = executor_;
  }
  auto ticket = std::make_shared<Ticket>(state_);
  if (!ticket->take(std::move(task))) return false;
  try {
    return executor->try_post([ticket = std::move(ticket)] { ticket->run(); });
  } catch (...) {  // no thread to be had, say: as good as full
    return false;
  }
}

std::shared_ptr<void> Background::every(Duration interval, std::function<void()> job) {
  auto schedule = std::make_shared<Schedule>();
  schedule->interval = interval;
  schedule->due = clock_->now() + interval;
  schedule->job = std::move(job);
  const std::lock_guard lock(mutex_);
  if (closed_) return schedule;
  schedules_.push_back(schedule);
  start_timer();
  wake_.notify_all();
  return schedule;
}

void Background::start_timer() {
  if (!timer_.joinable()) timer_ = start_thread("dsta-timer", [self = shared_from_this()] { self->run_schedule(); });
  lacks_timer_.store(!timer_.joinable(), std::memory_order_relaxed);
}

void Background::try_again() {
  const std::lock_guard lock(mutex_);
  if (!closed_ && lacks_timer_) start_timer();
}

void Background::run_schedule() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    std::erase_if(schedules_, [](const auto& schedule) { return schedule.expired(); });
    TimePoint next = TimePoint::max();
    std::shared_ptr<Schedule> due;
    const TimePoint now = clock_->now();
    for (const auto& weak : schedules_) {
      const auto schedule = weak.lock();
      if (!schedule) continue;
      if (schedule->due <= now) {
        schedule->due = now + schedule->interval;
        schedule->wanted = !schedule->running.exchange(true);
      }
      if (schedule->wanted) {
        due = schedule;
        break;
      }
      next = std::min(next, schedule->due);
    }
    if (due) {
      due->wanted = false;
      lock.unlock();
      run_behind(std::move(due));
      lock.lock();
      continue;
    }
    if (next == TimePoint::max()) {
      wake_.wait(lock);
    } else {
      clock_->wait_until(lock, wake_, next);
    }
  }
}

/// Without memory or room for it, its next time comes.
void Background::run_behind(std::shared_ptr<Schedule> schedule) noexcept {
  struct Run {
    explicit Run(std::weak_ptr<Schedule> of) : schedule(std::move(of)) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
      if (const auto held = schedule.lock()) held->running = false;
    }
    const std::weak_ptr<Schedule> schedule;
  };
  try {
    post([run = std::make_shared<Run>(schedule)] {
      if (const auto held = run->schedule.lock()) held->job();
    });
  } catch (const std::exception&) {
    schedule->running = false;
  }
}

void Background::close(std::chrono::milliseconds patience) noexcept {
  std::shared_ptr<Executor> executor;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    executor.swap(executor_);
    wake_.notify_all();
  }
  if (timer_.joinable()) {
    // An executor that runs tasks at once runs scheduled ones on the timer's thread, which then ends by itself.
    timer_.get_id() == std::this_thread::get_id() ? timer_.detach() : timer_.join();
  }
  State::Tasks dropped;
  std::unique_lock lock(state_->mutex);
  state_->closed = true;
  dropped.swap(state_->waiting);
  lock.unlock();
  dropped.clear();
  lock.lock();
  const std::size_t own = Running::count(*state_);
  const bool idle = state_->idle.wait_for(lock, patience, [&] { return state_->running == own; });
  lock.unlock();
  if (idle || !executor) return;
  // The pool's destructor joins its threads; one that overran must not hold up the caller. Where there is no thread to
  // wait for it, the pool is left behind.
  static constinit std::atomic<LeftBehind*> left_behind{nullptr};
  left_behind_->pool = std::move(executor);
  LeftBehind* const mine = left_behind_.release();
  if (start_detached_thread("dsta-overrun", [mine] { delete mine; })) return;
  mine->next = left_behind.load();
  while (!left_behind.compare_exchange_weak(mine->next, mine)) {
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
