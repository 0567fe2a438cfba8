#include "l2/tracking/blocking_worker.hpp"

#include <condition_variable>
#include <exception>
#include <utility>

#include "base/mutex.hpp"
#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct BlockingWorker::Shared {
  explicit Shared(std::shared_ptr<LinkWatch> to_notify) : done(std::move(to_notify)) {}

  const std::shared_ptr<LinkWatch> done;
  const Wake interrupt;
  mutable Mutex mutex;
  std::condition_variable changed;
  std::function<void()> job DSTA_GUARDED_BY(mutex);
  bool ending DSTA_GUARDED_BY(mutex) = false;

  void work() {
    const Interruptible interruptible(interrupt.descriptor());
    MutexLock lock(mutex);
    for (;;) {
      while (!ending && !job) changed.wait(lock.native());
      if (ending) return;
      const std::function<void()>* const running = &job;  // no other thread touches it while it is set
      lock.unlock();
      try {
        (*running)();
      } catch (const std::exception&) {  // no descriptor, or no memory
      }
      lock.lock();
      job = nullptr;
      done->wake.ring();
    }
  }
};

BlockingWorker::BlockingWorker(std::shared_ptr<LinkWatch> done) : shared_(std::make_unique<Shared>(std::move(done))) {}

BlockingWorker::~BlockingWorker() {
  end();
  join();
}

bool BlockingWorker::idle() const {
  const MutexLock lock(shared_->mutex);
  return !shared_->job;
}

bool BlockingWorker::run(std::function<void()> job) {
  if (!thread_.joinable()) thread_ = start_thread("dsta-worker", [shared = shared_.get()] { shared->work(); });
  if (!thread_.joinable()) return false;
  const MutexLock lock(shared_->mutex);
  shared_->job = std::move(job);
  shared_->changed.notify_one();
  return true;
}

void BlockingWorker::end() noexcept {
  const MutexLock lock(shared_->mutex);
  shared_->ending = true;
  shared_->interrupt.ring();
  shared_->changed.notify_one();
}

void BlockingWorker::join() noexcept {
  if (thread_.joinable()) thread_.join();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
