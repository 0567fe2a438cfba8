#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

#include "l2/client/link.hpp"
#include "l2/tracking/channel.hpp"
#include "two_level/engine.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Hands on to a manager what its channel hears: keys that others changed leave the in-process level, and the loads and
/// fills under way for them are not kept there; so do entries of tags, functions and the namespace that were
/// invalidated.
class Coherence final : public ChannelListener {
 public:
  /// Without a channel until tend() is called: its threads use the manager's pointer to this.
  Coherence(Engine& core, Link& data, ChannelOptions options)
      : core_(core), data_(data), options_(std::move(options)) {}

  /// Where there was no thread or no descriptor for the channel, tries again, seldom. Costs a load otherwise.
  void tend() {
    if (!channel_.load(std::memory_order_acquire)) [[unlikely]]
      begin();
  }
  void stop() noexcept;
  /// After stop(), and when the link is closed: waits for the channel's last thread.
  void join() noexcept;

  bool told() const {
    const Channel* const channel = channel_.load(std::memory_order_acquire);
    return channel && channel->coherent();
  }
  /// Waits for the beginning; not for long, and not at all for a server that is away.
  void wait_briefly(const Link& data) {
    constexpr std::chrono::milliseconds kPatience{200}, kLook{5};
    const TimePoint end = std::chrono::steady_clock::now() + kPatience;
    std::unique_lock lock(mutex_);
    while (!begun_ && made_ && data.up() && std::chrono::steady_clock::now() < end) wake_.wait_for(lock, kLook);
  }

 private:
  void begin();
  void on_keys(std::span<const std::string_view> keys) override { core_.heard(keys); }
  void on_flush() override { core_.heard_flush(); }
  void before_coherent() override { core_.forget_versions(); }
  void on_coherent(TimePoint known_good) override {
    core_.hearing(known_good);
    const std::lock_guard lock(mutex_);
    begun_ = true;
    wake_.notify_all();
  }
  void on_proof(TimePoint known_good) override { core_.heard_until(known_good); }
  void on_suspect(std::string_view why) override {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return made_ != nullptr; });
    lock.unlock();
    core_.not_hearing(why, made_->last_known_good());
  }

  Engine& core_;
  Link& data_;
  const ChannelOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  bool begun_ = false;
  bool stopped_ = false;
  bool complained_ = false;
  TimePoint next_try_{};
  std::atomic<Channel*> channel_{nullptr};  ///< made_, for those who do not take the lock
  std::unique_ptr<Channel> made_;           // last: it calls
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
