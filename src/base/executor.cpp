#include <dsta/cache/executor.hpp>

#include <algorithm>
#include <condition_variable>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include <dsta/cache/error.hpp>

#include "base/mutex.hpp"
#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {

namespace {

/// The pool may be destroyed by one of its own tasks, which can hold the last reference to whatever owns it. That
/// thread cannot be joined: it ends by itself, and what it still touches is shared with it.
class ThreadPool final : public Executor {
 public:
  ThreadPool(std::size_t threads, std::size_t queue)
      : most_threads_(threads), most_waiting_(queue), state_(std::make_shared<State>()) {}

  ~ThreadPool() override {
    Tasks dropped;  // unlike a deque it needs no memory
    std::vector<std::thread> threads;
    {
      const detail::MutexLock lock(state_->mutex);
      state_->closed = true;
      dropped.swap(state_->waiting);
      threads.swap(state_->threads);
    }
    state_->wake.notify_all();
    dropped.clear();  // before joining: what runs may wait for what will never run
    for (auto& thread : threads) {
      thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
    }
  }

  bool try_post(std::function<void()> task) override {
    State& state = *state_;
    const detail::MutexLock lock(state.mutex);
    if (state.closed || !state.has_room(most_threads_, most_waiting_)) return false;
    std::vector<std::thread>& threads = state.threads;
    if (state.idle <= state.waiting.size() && threads.size() < most_threads_) {
      threads.reserve(threads.size() + 1);
      std::thread started = detail::start_thread("dsta-pool", [own = state_] { work(*own); });
      // Those that there are take the task; without any it is refused, and the next task tries again.
      if (started.joinable()) threads.push_back(std::move(started));
      if (threads.empty() || !state.has_room(threads.size(), most_waiting_)) return false;
    }
    state.waiting.push_back(std::move(task));
    state.wake.notify_one();
    return true;
  }

 private:
  using Tasks = std::list<std::function<void()>>;
  struct State {
    detail::Mutex mutex;
    std::condition_variable wake;
    Tasks waiting DSTA_GUARDED_BY(mutex);
    std::size_t idle DSTA_GUARDED_BY(mutex) = 0;
    std::size_t busy DSTA_GUARDED_BY(mutex) = 0;  ///< threads that run a task
    bool closed DSTA_GUARDED_BY(mutex) = false;
    std::vector<std::thread> threads DSTA_GUARDED_BY(mutex);

    /// For one more task, with so many threads. What one is free for, or is just going to take, does not wait.
    bool has_room(std::size_t of_threads, std::size_t most_waiting) const DSTA_REQUIRES(mutex) {
      const std::size_t taken = waiting.size() + busy;
      return taken < of_threads || taken - of_threads < most_waiting;
    }
  };

  static void work(State& state) {
    detail::MutexLock lock(state.mutex);
    for (;;) {
      ++state.idle;
      while (!state.closed && state.waiting.empty()) state.wake.wait(lock.native());
      --state.idle;
      if (state.waiting.empty()) return;
      {
        const std::function<void()> task = std::move(state.waiting.front());
        state.waiting.pop_front();
        ++state.busy;
        lock.unlock();
        task();
      }
      lock.lock();
      --state.busy;
    }
  }

  const std::size_t most_threads_;
  const std::size_t most_waiting_;
  const std::shared_ptr<State> state_;
};

}  // namespace

std::shared_ptr<Executor> thread_pool(std::size_t threads, std::size_t queue) {
  if (threads == 0) throw ConfigError("thread_pool: threads is 0, nothing would ever run: give at least 1");
  return std::make_shared<ThreadPool>(threads, queue);
}

}  // namespace v1
}  // namespace dsta::cache
