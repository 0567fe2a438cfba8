#include "l2/tracking/blocking_worker.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct BlockingWorker::Shared {
  explicit Shared(std::shared_ptr<LinkWatch> to_ring) : done(std::move(to_ring)) {}

  const std::shared_ptr<LinkWatch> done;
  const Wake interrupt;
  mutable std::mutex mutex;
  std::condition_variable changed;
  // Under mutex.
  std::function<void()> errand;
  bool over = false;

  void work() {
    const Interruptible interruptible(interrupt.descriptor());
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return over || errand; });
      if (over) return;
      lock.unlock();
      try {
        errand();                        // nobody else touches it while it is set
      } catch (const std::exception&) {  // no descriptor, or no memory
      }
      lock.lock();
      errand = nullptr;
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
  const std::lock_guard lock(shared_->mutex);
  return !shared_->errand;
}

bool BlockingWorker::run(std::function<void()> errand) {
  if (!thread_.joinable()) thread_ = start_thread("dsta-errands", [shared = shared_.get()] { shared->work(); });
  if (!thread_.joinable()) return false;
  const std::lock_guard lock(shared_->mutex);
  shared_->errand = std::move(errand);
  shared_->changed.notify_one();
  return true;
}

void BlockingWorker::end() noexcept {
  const std::lock_guard lock(shared_->mutex);
  shared_->over = true;
  shared_->interrupt.ring();
  shared_->changed.notify_one();
}

void BlockingWorker::join() noexcept {
  if (thread_.joinable()) thread_.join();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
