#include "two_level/invalidation_channel.hpp"

#include <chrono>
#include <exception>

#include "two_level/coherence.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void InvalidationChannel::begin() {
  constexpr std::chrono::milliseconds kPause{500};
  std::unique_lock lock(mutex_, std::try_to_lock);
  const TimePoint now = std::chrono::steady_clock::now();
  if (!lock || made_ || stopped_ || now < next_try_) return;
  next_try_ = now + kPause;
  try {
    made_ = std::make_unique<Channel>(options_, data_, *this);
    channel_.store(made_.get(), std::memory_order_release);
    wake_.notify_all();
  } catch (const std::exception& e) {
    if (std::exchange(complained_, true)) return;
    lock.unlock();
    coherence_.no_channel(e.what());
  }
}

void InvalidationChannel::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  if (made_) made_->stop();
}

void InvalidationChannel::join() noexcept {
  if (made_) made_->join();
}

void InvalidationChannel::wait_briefly() {
  constexpr std::chrono::milliseconds kPatience{200}, kLook{5};
  const TimePoint end = std::chrono::steady_clock::now() + kPatience;
  std::unique_lock lock(mutex_);
  while (!begun_ && made_ && data_.up() && std::chrono::steady_clock::now() < end) wake_.wait_for(lock, kLook);
}

void InvalidationChannel::on_keys(std::span<const std::string_view> keys) { coherence_.on_keys(keys); }

void InvalidationChannel::on_flush() { coherence_.on_flush(); }

void InvalidationChannel::before_up() { coherence_.before_up(); }

void InvalidationChannel::on_up(TimePoint known_good) {
  coherence_.on_up(known_good);
  const std::lock_guard lock(mutex_);
  begun_ = true;
  wake_.notify_all();
}

void InvalidationChannel::on_known_good(TimePoint known_good) { coherence_.on_proof(known_good); }

void InvalidationChannel::on_down(std::string_view why) {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return made_ != nullptr; });
  lock.unlock();
  coherence_.on_down(why, made_->last_known_good());
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
