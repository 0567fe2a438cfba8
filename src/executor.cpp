#include <dsta/cache/executor.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace {

class ThreadPool final : public Executor {
 public:
  ThreadPool(std::size_t threads, std::size_t queue) : most_threads_(threads), most_waiting_(queue) {}

  ~ThreadPool() override {
    std::deque<std::function<void()>> dropped;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      dropped.swap(waiting_);
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  bool try_post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    if (closed_ || waiting_.size() >= most_waiting_) return false;
    if (idle_ <= waiting_.size() && threads_.size() < most_threads_) threads_.emplace_back([this] { work(); });
    waiting_.push_back(std::move(task));
    wake_.notify_one();
    return true;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
      --idle_;
      if (waiting_.empty()) return;
      {
        const std::function<void()> task = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        task();
      }
      lock.lock();
    }
  }

  const std::size_t most_threads_;
  const std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  std::deque<std::function<void()>> waiting_;
  std::size_t idle_ = 0;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::shared_ptr<Executor> thread_pool(std::size_t threads, std::size_t queue) {
  if (threads == 0) throw ConfigError("thread_pool: threads is 0, nothing would ever run: give at least 1");
  return std::make_shared<ThreadPool>(threads, queue);
}

}  // namespace v1
}  // namespace dsta::cache
