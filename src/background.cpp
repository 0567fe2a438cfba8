#include "background.hpp"

#include <algorithm>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
constinit thread_local bool running_task = false;
}

bool Background::on_task() noexcept { return running_task; }

/// Shared with the tasks, which may outlive the Background when they overrun its patience.
struct Background::State {
  std::mutex mutex;
  std::condition_variable idle;
  bool closed = false;
  std::size_t running = 0;
};

struct Background::Schedule {
  Duration interval{};
  TimePoint due;
  std::function<void()> job;
  std::atomic<bool> running{false};
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
  return executor->try_post([state = state_, task = std::move(task)]() mutable {
    {
      const std::lock_guard lock(state->mutex);
      if (state->closed) return;
      ++state->running;
    }
    const bool outer = std::exchange(running_task, true);
    // What the task holds is let go before it counts as ended: it may be what close() waits for.
    std::exchange(task, nullptr)();
    running_task = outer;
    const std::lock_guard lock(state->mutex);
    if (--state->running == 0) state->idle.notify_all();
  });
}

std::shared_ptr<void> Background::every(Duration interval, std::function<void()> job) {
  auto schedule = std::make_shared<Schedule>();
  schedule->interval = interval;
  schedule->due = clock_->now() + interval;
  schedule->job = std::move(job);
  const std::lock_guard lock(mutex_);
  if (closed_) return schedule;
  schedules_.push_back(schedule);
  if (!timer_.joinable()) timer_ = std::thread([this] { run_schedule(); });
  wake_.notify_all();
  return schedule;
}

void Background::run_schedule() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    std::erase_if(schedules_, [](const auto& schedule) { return schedule.expired(); });
    TimePoint next = TimePoint::max();
    std::vector<std::shared_ptr<Schedule>> due;
    const TimePoint now = clock_->now();
    for (const auto& weak : schedules_) {
      const auto schedule = weak.lock();
      if (!schedule) continue;
      if (schedule->due <= now) {
        schedule->due = now + schedule->interval;
        if (!schedule->running.exchange(true)) due.push_back(schedule);
      }
      next = std::min(next, schedule->due);
    }
    if (!due.empty()) {
      lock.unlock();
      for (auto& schedule : due) {
        const bool begun = post([weak = std::weak_ptr(schedule)] {
          const auto held = weak.lock();
          if (!held) return;
          held->job();
          held->running = false;
        });
        if (!begun) schedule->running = false;
      }
      due.clear();
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

void Background::close(std::chrono::milliseconds patience) noexcept {
  std::shared_ptr<Executor> executor;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    executor.swap(executor_);
    wake_.notify_all();
  }
  if (timer_.joinable()) timer_.join();
  std::unique_lock lock(state_->mutex);
  state_->closed = true;
  const bool idle = state_->idle.wait_for(lock, patience, [&] { return state_->running == 0; });
  lock.unlock();
  // The pool's destructor joins its threads; one that overran must not hold up the caller.
  if (!idle && executor) std::thread([pool = std::move(executor)]() mutable { pool.reset(); }).detach();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
