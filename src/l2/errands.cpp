#include "errands.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Errands::Shared {
  explicit Shared(std::shared_ptr<LinkWatch> to_ring) : done(std::move(to_ring)) {}

  const std::shared_ptr<LinkWatch> done;
  mutable std::mutex mutex;
  std::condition_variable changed;
  // Under mutex.
  std::function<void()> errand;
  bool over = false;

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return over || errand; });
      if (over) return;
      lock.unlock();
      try {
        errand();                        // nobody else touches it while it is set
      } catch (const std::exception&) {  // no thread for the resolver, or no memory
      }
      lock.lock();
      errand = nullptr;
      done->wake.ring();
    }
  }
};

Errands::Errands(std::shared_ptr<LinkWatch> done) : shared_(std::make_shared<Shared>(std::move(done))) {
  std::thread([shared = shared_] { shared->work(); }).detach();
}

Errands::~Errands() {
  const std::lock_guard lock(shared_->mutex);
  shared_->over = true;
  shared_->changed.notify_one();
}

bool Errands::idle() const {
  const std::lock_guard lock(shared_->mutex);
  return !shared_->errand;
}

void Errands::run(std::function<void()> errand) {
  const std::lock_guard lock(shared_->mutex);
  shared_->errand = std::move(errand);
  shared_->changed.notify_one();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
