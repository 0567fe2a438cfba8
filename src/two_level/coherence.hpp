#pragma once
#include <memory>
#include <span>
#include <string_view>

#include <dsta/cache/detail/load.hpp>

#include "base/log_queue.hpp"
#include "base/mutex.hpp"
#include "base/periodic_task.hpp"
#include "l1/node_stack.hpp"
#include "l1/trust.hpp"
#include "l2/values/l2_store.hpp"
#include "two_level/channel_group.hpp"
#include "two_level/context.hpp"
#include "two_level/foreign_loads.hpp"
#include "two_level/invalidation_channel.hpp"
#include "two_level/l2_counters.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Keeps L1 coherent with L2: what the invalidation channel reports leaves L1, and while the channel is down what L1
/// has of L2 is dropped, bypassed, or served for a limited time, as the options say. Only with an L2. Thread-safe.
///
/// Invariants:
/// - L1Trust ends two ping periods after the last time that the channel vouched for, unless stale values are served.
/// - The manager's own threads hold quiet() while they use what is in this process, so a fork, which takes it, finds
///   none of its locks taken by them.
/// - No destructor of a value runs on the channel's thread: it would hold up what is reported. See `dropped_`.
class Coherence final : public ChannelReports {
 public:
  Coherence(Context& context, L2Store& l2_store, L1Trust& trust, ForeignLoads& foreign_loads, L2Counters& counters);

  /// There is an L1, and it is to keep what L2 has.
  bool wants_channel() const;
  /// Makes the invalidation channel. Throws std::bad_alloc; without a thread for it tend() tries again.
  void listen();
  /// Waits until the channel is up; not for long.
  void wait_briefly();
  /// Threads that were not to be had are tried for again.
  void tend();
  /// Nothing is reported afterwards.
  void stop() noexcept;
  /// After stop(), and when the link is closed.
  void join() noexcept;
  /// After join(). What is left to be logged is logged, unless the sink is slow.
  void close() noexcept;

  /// The channel is up: all that others change is reported.
  bool up() const { return channel_ ? channel_->up() : group_ && group_->up(); }
  /// And that is all that anybody changes.
  bool tracks() const { return up() && mode() == CoherenceMode::tracking; }
  /// What is in use. `automatic` while nothing is known yet.
  CoherenceMode mode() const { return channel_ ? channel_->mode() : group_ ? group_->mode() : CoherenceMode::off; }
  /// What comes from L2 may be kept in L1.
  bool fills(const EntryTerms& terms) const;

  /// Held by the manager's own threads while they are at what is in-process.
  Mutex& quiet() noexcept DSTA_RETURN_CAPABILITY(quiet_) { return quiet_; }
  /// In the child of a fork, at once: L1 is no longer kept up to date.
  void forked() noexcept;
  /// In the child of a fork, whose parent's threads are missing: makes them again.
  void revive();

  // Of a cluster, on whatever thread.

  /// Slots are about to have other masters: what L1 has of them goes, and values on their way are not kept. Where
  /// there is a master without a channel L1 is not trusted until it has one.
  void slots_move(const SlotChange& change, const SlotMap& next);
  /// A value came from a node without a channel: it is not kept.
  void met_stranger();
  /// Makes and ends channels as the map that is in use has masters. One thread.
  void follow_map();

  // What the channel reports. On its thread.
  void on_keys(std::span<const std::string_view> keys) override;
  void on_flush() override;
  void on_globs(std::span<const std::string_view> globs) override;
  void on_unknown() override;
  void before_up(CoherenceMode mode) override;
  void on_up(TimePoint known_good) override;
  void on_proof(TimePoint known_good) override;
  void on_down(std::string_view why, TimePoint last_known_good) override;
  void no_channel(std::string_view why) noexcept override;

 private:
  class QuietWork;
  ChannelOptions channel_options();
  void begin_tasks();
  void invalidate_dependency(std::string_view name);
  void drop(bool with_l2) DSTA_REQUIRES(quiet_);
  void drop_l2() DSTA_REQUIRES(quiet_);
  void trust_from(TimePoint known_good);
  void stop_trusting(TimePoint last_known_good);
  // Steps of PeriodicTask: each does what is due and says when it is to be called next.
  TimePoint end_stale_service();
  TimePoint keep_versions();
  TimePoint destroy_dropped();

  Context& context_;
  L2Store& l2_store_;
  L1Trust& trust_;
  ForeignLoads& foreign_loads_;
  L2Counters& counters_;
  /// What the channel's thread has to log: it must not wait for the user's sink.
  std::unique_ptr<LogQueue> messages_;
  Mutex quiet_;
  NodeStack dropped_ DSTA_GUARDED_BY(quiet_);
  /// With OnDisconnect::serve: when what is in L1 is to go, unless the channel is up before.
  TimePoint serve_until_ DSTA_GUARDED_BY(quiet_) = TimePoint::max();

  // A thread each, since what one waits for must not keep the others from their time.
  std::unique_ptr<PeriodicTask> serve_end_;       ///< of the time for which OnDisconnect::serve serves
  std::unique_ptr<PeriodicTask> version_keeper_;  ///< of versions that the server would evict
  std::unique_ptr<PeriodicTask> reaper_;          ///< of values that were dropped where no user code may run
  // Both null: there is no L1. Last: they call.
  std::unique_ptr<InvalidationChannel> channel_;  ///< of a single server
  std::unique_ptr<ChannelGroup> group_;           ///< of a cluster
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
