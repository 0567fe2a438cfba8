#include <dsta/cache/executor.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include <dsta/cache/error.hpp>

#include "base/fork_count.hpp"
#include "base/mutex.hpp"
#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {

namespace {

/// The pool may be destroyed by one of its own tasks, which can hold the last reference to whatever owns it. That
/// thread cannot be joined: it ends by itself, and what it still touches is shared with it.
class ThreadPool final : public Executor {
 public:
  ThreadPool(std::size_t threads, std::size_t queue) : most_threads_(threads), most_waiting_(queue), home_(new Home) {}

  ~ThreadPool() override {
    const std::unique_ptr<Home> home(home_.load());
    if (home->forks != detail::fork_count()) {
      detail::leave_to_parent(home->state);
      return;
    }
    State& state = *home->state;
    Tasks dropped;  // unlike a deque it needs no memory
    std::vector<std::thread> threads;
    {
      const detail::MutexLock lock(state.mutex);
      state.closed = true;
      dropped.swap(state.waiting);
      threads.swap(state.threads);
    }
    state.wake.notify_all();
    dropped.clear();  // before joining: what runs may wait for what will never run
    for (auto& thread : threads) {
      thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
    }
  }

  bool try_post(std::function<void()> task) override {
    const Home& home = this_process();
    State& state = *home.state;
    const detail::MutexLock lock(state.mutex);
    if (state.closed || !state.has_room(most_threads_, most_waiting_)) return false;
    std::vector<std::thread>& threads = state.threads;
    if (state.idle <= state.waiting.size() && threads.size() < most_threads_) {
      threads.reserve(threads.size() + 1);
      std::thread started = detail::start_thread("dsta-pool", [own = home.state] { work(*own); });
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

  /// The state of one process. In the child of a fork the threads are missing, and whatever the parent's were doing to
  /// theirs will never be finished.
  struct Home {
    std::uint32_t forks = detail::fork_count();
    std::shared_ptr<State> state = std::make_shared<State>();
  };

  const Home& this_process() {
    Home* home = home_.load(std::memory_order_acquire);
    if (home->forks == detail::fork_count()) return *home;
    auto mine = std::make_unique<Home>();
    // Of several threads one replaces it; the parent's is left as it is.
    return home_.compare_exchange_strong(home, mine.get(), std::memory_order_acq_rel) ? *mine.release() : *home;
  }

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
  std::atomic<Home*> home_;  ///< owned
};

}  // namespace

std::shared_ptr<Executor> thread_pool(std::size_t threads, std::size_t queue) {
  if (threads == 0) throw ConfigError("thread_pool: threads is 0, nothing would ever run: give at least 1");
  return std::make_shared<ThreadPool>(threads, queue);
}

}  // namespace v1
}  // namespace dsta::cache
