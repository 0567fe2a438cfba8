#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fork_count.hpp"
#include "base/mutex.hpp"
#include "l2/client/handshake.hpp"
#include "l2/net/wake.hpp"
#include "l2/topology/cluster.hpp"
#include "l2/topology/slot_layout.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A node has said that another one serves the slot.
struct MovedSlot {
  Slot slot;
  HostPort to;
};

/// All of a cluster that changes.
struct Cluster::State {
  State(const Options& given, std::atomic<std::uint64_t>& counter)
      : options(given), forks(fork_count()), changes(counter) {}

  const Options& options;
  const std::uint32_t forks;
  std::atomic<std::uint64_t>& changes;
  /// Odd while a map is being put in use whose masters may have missed something; then the next even number. A change
  /// that was sent by a map of before may be known to the former master alone.
  std::atomic<std::uint64_t> failovers{0};
  std::atomic<bool> lacks_shards{false};           ///< a node did not know CLUSTER SHARDS
  std::atomic<TimePoint> down_since{TimePoint{}};  ///< a node said that the cluster is down, and none served since
  const Wake interrupt;                            ///< rung when it closes

  /// Held while a map is changed and put in use. Taken before `mutex`.
  Mutex change;
  Mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<const SlotMap> map DSTA_GUARDED_BY(mutex);
  /// All that there are, by their announced names: of masters, and of nodes that keys were asked for at.
  std::map<std::string, std::shared_ptr<Link>> links DSTA_GUARDED_BY(mutex);
  bool refreshing DSTA_GUARDED_BY(mutex) = false;
  bool closed DSTA_GUARDED_BY(mutex) = false;
  TimePoint failed DSTA_GUARDED_BY(mutex) = {};  ///< when the last attempt to get a map did
  TimePoint confirmed DSTA_GUARDED_BY(mutex) = {};
  std::string why DSTA_GUARDED_BY(mutex) = "the cluster was not reached yet";
  std::string_view short_why DSTA_GUARDED_BY(mutex);
  std::size_t turn DSTA_GUARDED_BY(mutex) = 0;  ///< which master is asked first

  /// In a planned failover a cluster is down for some milliseconds. One that is down for longer keeps nobody waiting.
  bool has_just_gone_down() {
    constexpr std::chrono::milliseconds kBriefly{150};
    const TimePoint now = std::chrono::steady_clock::now();
    TimePoint since{};
    return down_since.compare_exchange_strong(since, now) || now - since < kBriefly;
  }

  std::shared_ptr<const SlotMap> known() {
    const MutexLock lock(mutex);
    return map;
  }
  std::shared_ptr<const SlotMap> known_by(TimePoint deadline);
  /// Why there is no map, as a kept reason.
  std::string_view reason() const DSTA_REQUIRES(mutex);
  std::shared_ptr<Link> link_to(const HostPort& announced, std::optional<Slot> slot);
  void close();

  // cluster_map.cpp
  bool refresh(TimePoint deadline);
  /// Nodes say who serves these slots. Of those that are among `before` nothing is learnt: they go in a circle.
  void learn(std::span<const MovedSlot> moved, std::span<const MovedSlot> before);

 private:
  /// Who serves which slots, as a node says, or why it does not.
  struct MapAnswer {
    std::optional<SlotLayout> layout = {};
    bool is_down = false;  ///< the node says that the cluster is
    std::string why = {};
    std::string_view short_why = {};  ///< a kept reason, where one says it
  };
  MapAnswer ask(const AskedNode& asked, const std::function<OneAnswer(const Request&)>& send);
  MapAnswer ask_master(Link& link, const AskedNode& asked, TimePoint deadline);
  MapAnswer ask_seed(const AskedNode& asked, TimePoint deadline);
  MapAnswer read(const std::vector<Reply>& replies, const AskedNode& asked);
  MapAnswer ask_all(TimePoint deadline);
  void install(std::shared_ptr<SlotMap> next);
  void drop_unused_links(const SlotMap& kept);
  SlotChange difference(const SlotMap& before, const SlotMap& after) const;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
