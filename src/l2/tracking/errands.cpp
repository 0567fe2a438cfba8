#include "l2/tracking/errands.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include "base/thread.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Errands::Shared {
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

Errands::Errands(std::shared_ptr<LinkWatch> done) : shared_(std::make_unique<Shared>(std::move(done))) {}

Errands::~Errands() {
  end();
  join();
}

bool Errands::idle() const {
  const std::lock_guard lock(shared_->mutex);
  return !shared_->errand;
}

bool Errands::run(std::function<void()> errand) {
  if (!thread_.joinable()) thread_ = start_thread("dsta-errands", [shared = shared_.get()] { shared->work(); });
  if (!thread_.joinable()) return false;
  const std::lock_guard lock(shared_->mutex);
  shared_->errand = std::move(errand);
  shared_->changed.notify_one();
  return true;
}

void Errands::end() noexcept {
  const std::lock_guard lock(shared_->mutex);
  shared_->over = true;
  shared_->interrupt.ring();
  shared_->changed.notify_one();
}

void Errands::join() noexcept {
  if (thread_.joinable()) thread_.join();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
