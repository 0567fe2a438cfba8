#include "two_level/invalidation_channel.hpp"

#include <chrono>
#include <exception>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void InvalidationChannel::try_to_make() {
  if (!mutex_.try_lock()) return;
  const std::exception_ptr failure = make();
  mutex_.unlock();
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    reports_.no_channel(e.what());
  }
}

std::exception_ptr InvalidationChannel::make() noexcept {
  constexpr std::chrono::milliseconds kPause{500};
  const TimePoint now = std::chrono::steady_clock::now();
  if (made_ || stopped_ || now < next_try_) return nullptr;
  next_try_ = now + kPause;
  try {
    made_ = std::make_unique<Channel>(options_, data_, *this);
    channel_.store(made_.get(), std::memory_order_release);
    wake_.notify_all();
  } catch (const std::exception&) {
    if (!std::exchange(reported_, true)) return std::current_exception();
  }
  return nullptr;
}

void InvalidationChannel::stop() noexcept {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  if (made_) made_->stop();
}

void InvalidationChannel::join() noexcept {
  if (made_) made_->join();
}

void InvalidationChannel::wait_briefly() {
  constexpr std::chrono::milliseconds kLongestWait{200}, kLook{5};
  const TimePoint end = std::chrono::steady_clock::now() + kLongestWait;
  MutexLock lock(mutex_);
  while (!was_up_ && made_ && data_.up() && std::chrono::steady_clock::now() < end) {
    wake_.wait_for(lock.native(), kLook);
  }
}

void InvalidationChannel::on_keys(std::span<const std::string_view> keys) { reports_.on_keys(keys); }

void InvalidationChannel::on_flush() { reports_.on_flush(); }

void InvalidationChannel::on_globs(std::span<const std::string_view> globs) { reports_.on_globs(globs); }
void InvalidationChannel::on_unknown() { reports_.on_unknown(); }

void InvalidationChannel::before_up(CoherenceMode mode) { reports_.before_up(mode); }

void InvalidationChannel::on_up(TimePoint known_good) {
  reports_.on_up(known_good);
  const MutexLock lock(mutex_);
  was_up_ = true;
  wake_.notify_all();
}

void InvalidationChannel::on_known_good(TimePoint known_good) { reports_.on_proof(known_good); }

void InvalidationChannel::on_down(std::string_view why) {
  {
    MutexLock lock(mutex_);
    while (!made_) wake_.wait(lock.native());
  }
  reports_.on_down(why, made_->last_known_good());
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
