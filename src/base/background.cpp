#include "base/background.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/saturating_add.hpp"
#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Background::Schedule {
  Duration interval{};
  TimePoint due;  ///< the background's mutex guards it
  std::function<void()> job;
  std::atomic<bool> running{false};
};

Background::Background(std::shared_ptr<Clock> clock, std::shared_ptr<Executor> executor)
    : tasks_(std::make_shared<TaskList>()), clock_(std::move(clock)), executor_(std::move(executor)) {}

Background::~Background() { close(std::chrono::milliseconds(0)); }

bool Background::post(std::function<void()> task) {
  std::shared_ptr<Executor> executor;
  {
    const MutexLock lock(mutex_);
    if (closed_) return false;
    if (!executor_) executor_ = thread_pool();
    executor = executor_;
  }
  return tasks_->post(*executor, std::move(task));
}

std::shared_ptr<void> Background::every(Duration interval, std::function<void()> job) {
  auto schedule = std::make_shared<Schedule>();
  schedule->interval = interval;
  schedule->due = saturating_add(clock_->now(), interval);
  schedule->job = std::move(job);
  const MutexLock lock(mutex_);
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

void Background::start_timer_again() {
  const MutexLock lock(mutex_);
  if (!closed_ && lacks_timer_) start_timer();
}

/// One whose time has come; else none, and when the next one's comes.
std::shared_ptr<Background::Schedule> Background::next_due(TimePoint& wake_at) {
  std::erase_if(schedules_, [](const auto& schedule) { return schedule.expired(); });
  wake_at = TimePoint::max();
  const TimePoint now = clock_->now();
  for (const auto& weak : schedules_) {
    auto schedule = weak.lock();
    if (!schedule) continue;
    if (schedule->due <= now) {
      schedule->due = saturating_add(now, schedule->interval);
      if (!schedule->running.exchange(true)) return schedule;
    }
    wake_at = std::min(wake_at, schedule->due);
  }
  return nullptr;
}

void Background::run_schedule() {
  MutexLock lock(mutex_);
  while (!closed_) {
    TimePoint wake_at;
    if (auto due = next_due(wake_at)) {
      lock.unlock();
      post_run(std::move(due));
      lock.lock();
    } else if (wake_at == TimePoint::max()) {
      wake_.wait(lock.native());
    } else {
      clock_->wait_until(lock.native(), wake_, wake_at);
    }
  }
}

/// Where there is no memory or room for it, this run is left out.
void Background::post_run(std::shared_ptr<Schedule> schedule) noexcept {
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
  std::thread ending;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    executor.swap(executor_);
    ending.swap(timer_);
    wake_.notify_all();
  }
  if (ending.joinable()) {
    // An executor that runs tasks at once runs scheduled ones on the timer's thread, which then ends by itself.
    ending.get_id() == std::this_thread::get_id() ? ending.detach() : ending.join();
  }
  if (tasks_->close(patience) || !executor) return;
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
