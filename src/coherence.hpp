#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <span>
#include <string_view>

#include <dsta/cache/detail/core.hpp>

#include "l2/channel.hpp"
#include "l2/link.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Hands on to a manager what its channel hears: keys that others changed leave the in-process level, and the loads and
/// fills under way for them are not kept there; so do entries of tags, functions and the namespace that were
/// invalidated.
class Coherence final : public ChannelListener {
 public:
  Coherence(Core& core, Link& data, ChannelOptions options) : core_(core), channel_(std::move(options), data, *this) {
    const std::lock_guard lock(mutex_);
    made_ = true;
    wake_.notify_all();
  }

  void stop() noexcept { channel_.stop(); }

  bool told() const { return channel_.coherent(); }
  /// Waits for the beginning; not for long, and not at all for a server that is away.
  void wait_briefly(const Link& data) {
    constexpr std::chrono::milliseconds kPatience{200}, kLook{5};
    const TimePoint end = std::chrono::steady_clock::now() + kPatience;
    std::unique_lock lock(mutex_);
    while (!begun_ && data.up() && std::chrono::steady_clock::now() < end) wake_.wait_for(lock, kLook);
  }

 private:
  void on_keys(std::span<const std::string_view> keys) override { core_.heard(keys); }
  void on_flush() override { core_.heard_flush(); }
  void before_coherent() override { core_.forget_versions(); }
  void on_coherent() override {
    core_.hearing(channel_.last_known_good());
    const std::lock_guard lock(mutex_);
    begun_ = true;
    wake_.notify_all();
  }
  void on_proof(TimePoint known_good) override { core_.heard_until(known_good); }
  void on_suspect(std::string_view why) override {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return made_; });
    lock.unlock();
    core_.not_hearing(why, channel_.last_known_good());
  }

  Core& core_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  bool made_ = false;
  bool begun_ = false;
  Channel channel_;  // last: it calls
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
