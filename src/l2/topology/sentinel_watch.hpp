#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <dsta/cache/duration.hpp>
#include <dsta/cache/log.hpp>

#include "base/mutex.hpp"
#include "l2/net/wake.hpp"
#include "l2/topology/master_finder.hpp"
#include "l2/tracking/blocking_worker.hpp"
#include "l2/tracking/heartbeat.hpp"
#include "l2/tracking/subscriber.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The new address in a message of +switch-master, `NAME OLD_HOST OLD_PORT NEW_HOST NEW_PORT`; nothing when it is about
/// another master.
std::optional<HostPort> announced_master(std::string_view message, std::string_view master);

/// Listens to the sentinels, each of which announces when another server becomes the master: to all of them, since some
/// hear of it up to two seconds after the first. One that goes away, or gives no sign of life for two ping periods, is
/// connected to again, and asked what it has announced meanwhile. Thread-safe.
///
/// Its thread never waits for a reply: a worker connects, so that a sentinel that is dead does not keep the others from
/// being heard.
class SentinelWatch {
 public:
  struct Options {
    Duration ping_period = std::chrono::seconds(1);
    Log log = {};
    /// The master is taken to be there.
    std::function<bool(const Address&)> is_current;
    /// Where the master is: called for each announcement, and when a sentinel was connected to which may have announced
    /// it before. By the watch's thread, which receives nothing until it returns.
    std::function<void(const Address&)> announced;
  };
  /// Begins with tend().
  SentinelWatch(std::shared_ptr<MasterFinder> finder, Options options);
  ~SentinelWatch() { stop(); }
  SentinelWatch(const SentinelWatch&) = delete;
  SentinelWatch& operator=(const SentinelWatch&) = delete;

  /// Where there is no thread, tries to have one, seldom. Costs a load otherwise.
  void tend() noexcept {
    if (!started_.load(std::memory_order_acquire)) [[unlikely]]
      try_to_start();
  }
  /// Waits for its threads, which end soon whatever the network does.
  void stop() noexcept;

 private:
  struct Ear {
    std::unique_ptr<Subscriber> subscriber = nullptr;  ///< null: not connected
    std::optional<Heartbeat> heartbeat = {};
    TimePoint retry{};
    bool lost = false;  ///< and that was logged
  };
  /// What the worker does. It may outlive the watch's interest.
  struct Job {
    std::size_t sentinel = 0;
    std::unique_ptr<Subscriber> subscriber = nullptr;  ///< null: see error
    std::string error = "there is no thread or no memory for it";
    std::optional<HostPort> master = {};
    bool outvoted = false;  ///< the sentinel itself names another master
  };

  void try_to_start() noexcept;
  void run() noexcept;
  void step();
  void start_job();
  void run_job(Job& job) const;
  void finish_job();
  void listen(std::size_t sentinel);
  void ping(std::size_t sentinel);
  void take(std::size_t sentinel, const Reply& message);
  void lost(std::size_t sentinel, std::string_view why);
  void wait();

  const std::shared_ptr<MasterFinder> finder_;
  const Options options_;
  const std::shared_ptr<LinkWatch> watch_ = std::make_shared<LinkWatch>();
  std::atomic<bool> stopping_{false}, started_{false};

  // The thread's own.
  std::vector<Ear> ears_;
  bool more_ = false;  ///< there may be more to receive
  BlockingWorker worker_{watch_};
  std::shared_ptr<Job> job_;

  Mutex mutex_;
  std::thread thread_ DSTA_GUARDED_BY(mutex_);
  TimePoint next_try_ DSTA_GUARDED_BY(mutex_) = {};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
