#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/mutex.hpp"
#include "l2/client/link.hpp"
#include "l2/tracking/channel.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What an invalidation channel has to say, for who keeps L1 by it: as ChannelListener has it.
class ChannelReports {
 public:
  virtual void on_keys(std::span<const std::string_view> keys) = 0;
  virtual void on_flush() = 0;
  virtual void on_globs(std::span<const std::string_view> globs) = 0;
  virtual void on_unknown() = 0;
  virtual void before_up(CoherenceMode mode) = 0;
  virtual void on_up(TimePoint known_good) = 0;
  virtual void on_proof(TimePoint known_good) = 0;
  virtual void on_down(std::string_view why, TimePoint last_known_good) = 0;
  virtual void no_channel(std::string_view why) noexcept = 0;

 protected:
  ~ChannelReports() = default;
};

/// The manager's end of the invalidation channel: makes the channel, tries again where there was no thread or no
/// descriptor for it, and hands on what it reports. Thread-safe.
///
/// In the child of a fork it belongs to threads that are not there: it is left as it is, and another one is made.
class InvalidationChannel final : public ChannelListener {
 public:
  /// Without a channel until tend() is called: its threads use the owner's pointer to this.
  InvalidationChannel(ChannelReports& reports, Link& data, ChannelOptions options)
      : reports_(reports), data_(data), options_(std::move(options)) {}

  /// Where there is no channel, tries again, seldom. Costs a load otherwise.
  void tend() {
    if (!channel_.load(std::memory_order_acquire)) [[unlikely]]
      try_to_make();
  }
  void stop() noexcept;
  /// After stop(), and when the link is closed: waits for the channel's last thread.
  void join() noexcept;

  bool up() const {
    const Channel* const channel = channel_.load(std::memory_order_acquire);
    return channel && channel->up();
  }
  CoherenceMode mode() const {
    const Channel* const channel = channel_.load(std::memory_order_acquire);
    return channel ? channel->mode() : CoherenceMode::automatic;
  }
  /// Waits until it is up for the first time; not for long, and not at all for a server that is away.
  void wait_briefly();

 private:
  void try_to_make();
  /// An error to be reported.
  std::exception_ptr make() noexcept DSTA_REQUIRES(mutex_);
  void on_keys(std::span<const std::string_view> keys) override;
  void on_flush() override;
  void on_globs(std::span<const std::string_view> globs) override;
  void on_unknown() override;
  void before_up(CoherenceMode mode) override;
  void on_up(TimePoint known_good) override;
  void on_known_good(TimePoint known_good) override;
  void on_down(std::string_view why) override;

  ChannelReports& reports_;
  Link& data_;
  const ChannelOptions options_;
  Mutex mutex_;
  std::condition_variable wake_;
  bool was_up_ DSTA_GUARDED_BY(mutex_) = false;
  bool stopped_ DSTA_GUARDED_BY(mutex_) = false;
  bool reported_ DSTA_GUARDED_BY(mutex_) = false;  ///< that there was no channel to be had
  TimePoint next_try_ DSTA_GUARDED_BY(mutex_) = {};
  std::atomic<Channel*> channel_{nullptr};  ///< made_, for those who do not take the mutex
  /// Made once, under mutex_, and not after stop(): whoever knows that it is made reads it without. Last: it calls.
  std::unique_ptr<Channel> made_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
