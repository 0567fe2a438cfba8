#pragma once
#include <condition_variable>
#include <memory>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "l2/topology/cluster.hpp"
#include "l2/values/keyspace.hpp"
#include "two_level/invalidation_channel.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The invalidation channels to the masters of a cluster, as one. Thread-safe.
///
/// Invariants:
/// - It is up only while each master of the map has a channel that is up. So of whatever is read, from whichever
/// master,
///   every change is reported.
/// - What it vouches for ends with the earliest of what the channels vouch for, and of the last look at the map: a
///   master that nobody told of yet reports nothing.
/// - on_up and on_down take turns.
///
/// In the child of a fork it belongs to threads that are not there: it is left as it is, and another one is made.
class ChannelGroup {
 public:
  ChannelGroup(ChannelReports& reports, Cluster& cluster, const KeySpace& keys, ChannelOptions options);
  ~ChannelGroup();

  /// Channels are made for the masters that have none, and ended that lead to no master. One thread at a time.
  void follow_map();
  /// This map is about to be used.
  void expect(const SlotMap& next);
  void tend();
  void stop() noexcept;
  void join() noexcept;
  void wait_briefly();

  bool up() const;
  /// The least that one of them offers.
  CoherenceMode mode() const;

 private:
  class Member;
  using Members = std::vector<std::shared_ptr<Member>>;

  Members members() const {
    const MutexLock lock(mutex_);
    return members_;
  }
  std::shared_ptr<Member> make_member(const ClusterNode& node);
  bool has_all(const SlotMap& map) const DSTA_REQUIRES(mutex_);
  TimePoint known_good() const DSTA_REQUIRES(mutex_);
  CoherenceMode least_mode() const DSTA_REQUIRES(mutex_);
  void look() DSTA_REQUIRES(mutex_);
  void go_down(std::string_view why) DSTA_REQUIRES(mutex_);

  ChannelReports& reports_;
  Cluster& cluster_;
  const KeySpace& keys_;
  const ChannelOptions options_;
  mutable Mutex mutex_;
  std::condition_variable changed_;
  Members members_ DSTA_GUARDED_BY(mutex_);
  bool complete_ DSTA_GUARDED_BY(mutex_) = false;  ///< each master has a member
  /// The map in whose place another one was about to be used: it says nothing any more.
  std::shared_ptr<const SlotMap> outdated_ DSTA_GUARDED_BY(mutex_);
  bool up_ DSTA_GUARDED_BY(mutex_) = false;  ///< as was reported
  bool was_up_ DSTA_GUARDED_BY(mutex_) = false;
  bool stopped_ DSTA_GUARDED_BY(mutex_) = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
