#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <dsta/cache/duration.hpp>
#include <dsta/cache/log.hpp>

#include "base/mutex.hpp"
#include "l2/net/stream.hpp"
#include "l2/topology/master_finder.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The new address in a message of +switch-master, `NAME OLD_HOST OLD_PORT NEW_HOST NEW_PORT`; nothing when it is about
/// another master.
std::optional<HostPort> announced_master(std::string_view message, std::string_view master);

/// Listens to one sentinel, which announces when another server becomes the master. One that goes away, or gives no
/// sign of life for two ping periods, is left for the next one. Thread-safe.
class SentinelWatch {
 public:
  struct Options {
    Duration ping_period = std::chrono::seconds(1);
    Log log = {};
    /// Where the master is now: called for each announcement, and when it is listened to a sentinel that may have
    /// announced one before. By the watch's thread, which hears nothing until it returns.
    std::function<void(const Address&)> announced;
  };
  /// Begins with tend().
  SentinelWatch(std::shared_ptr<MasterFinder> finder, Options options)
      : finder_(std::move(finder)), options_(std::move(options)) {}
  ~SentinelWatch() { stop(); }
  SentinelWatch(const SentinelWatch&) = delete;
  SentinelWatch& operator=(const SentinelWatch&) = delete;

  /// Where there is no thread, tries to have one, seldom. Costs a load otherwise.
  void tend() noexcept {
    if (!started_.load(std::memory_order_acquire)) [[unlikely]]
      try_to_start();
  }
  /// Waits for its thread, which ends soon whatever the network does.
  void stop() noexcept;

 private:
  void try_to_start() noexcept;
  void run() noexcept;
  /// Until that is over; false: it did not even begin.
  bool listen_to(std::size_t sentinel);
  void tell_master(TimePoint deadline);
  void take(const Reply& message);
  void lost(std::string_view sentinel, std::string_view why);
  void pause();

  const std::shared_ptr<MasterFinder> finder_;
  const Options options_;
  const Wake stop_wake_;
  std::atomic<bool> stopping_{false}, started_{false};
  bool lost_ = false;  ///< and that was logged. The thread's own.
  Mutex mutex_;
  std::thread thread_ DSTA_GUARDED_BY(mutex_);
  TimePoint next_try_ DSTA_GUARDED_BY(mutex_) = {};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
