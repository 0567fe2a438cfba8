#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <dsta/cache/executor.hpp>

namespace dsta::cache::testing_support {

/// Keeps background work until the test runs it. Thread-safe.
class HandExecutor final : public Executor {
 public:
  bool try_post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_all();
    return true;
  }
  /// Blocks until there is work, and runs it.
  std::size_t await_and_run() {
    {
      std::unique_lock lock(mutex_);
      posted_.wait(lock, [&] { return !tasks_.empty(); });
    }
    return run();
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return tasks_.size();
  }
  /// Runs what waits, on the calling thread; returns how many tasks that were.
  std::size_t run() {
    std::deque<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (auto& task : tasks) task();
    return tasks.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> tasks_;  // under mutex_
};

/// Runs background work at once, on the thread that posts it.
class InlineExecutor final : public Executor {
 public:
  bool try_post(std::function<void()> task) override {
    task();
    return true;
  }
};

/// Has no room, ever.
class FullExecutor final : public Executor {
 public:
  bool try_post(std::function<void()>) override { return false; }
};

/// Takes every task and drops it, as one that was stopped does.
class DroppingExecutor final : public Executor {
 public:
  bool try_post(std::function<void()>) override { return true; }
};

/// As a pool that gets no thread from the system.
class ThrowingExecutor final : public Executor {
 public:
  bool try_post(std::function<void()>) override { throw std::runtime_error("no thread to be had"); }
};

}  // namespace dsta::cache::testing_support
