#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dsta/cache/detail/load.hpp>

#include "base/fork_count.hpp"
#include "base/mutex.hpp"
#include "l1/trust.hpp"
#include "l2/client/url.hpp"
#include "l2/values/l2_store.hpp"
#include "two_level/cluster_watch.hpp"
#include "two_level/coherence.hpp"
#include "two_level/confirmations.hpp"
#include "two_level/context.hpp"
#include "two_level/failover.hpp"
#include "two_level/foreign_loads.hpp"
#include "two_level/l2_counters.hpp"
#include "two_level/lease_renewal.hpp"
#include "two_level/log_once.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The L2 of a manager, if it has one, from start to end: makes its owners, closes them in order, and makes their
/// threads again after a fork. Thread-safe.
///
/// In the child of a fork the threads of its parent are missing. Whatever operation comes first makes them again, under
/// a mutex that the others wait for.
class TwoLevel {
 public:
  TwoLevel(Context& context, L1Trust& trust, ForeignLoads& foreign_loads, L2Counters& counters)
      : context_(context), trust_(trust), foreign_loads_(foreign_loads), counters_(counters) {}

  /// If the URL names a server.
  void connect();
  void disconnect() noexcept;

  bool has_l2() const noexcept { return l2_store_ != nullptr; }
  // Only with an L2.
  L2Store& l2_store() const { return *l2_store_; }
  void write_link_counters(CacheStats& stats) const;
  Coherence& coherence() const { return *coherence_; }
  const std::shared_ptr<Leases>& leases() const { return lease_renewal_->leases(); }
  Confirmations& confirmations() const { return *confirmations_; }
  /// "single", "sentinel" or "cluster"; empty without an L2.
  std::string_view topology() const noexcept {
    return !l2_store_ ? "" : failover_ ? "sentinel" : cluster_watch_ ? "cluster" : "single";
  }
  /// The server's address, or its socket, or a cluster's masters and what is wrong with them; empty where none was
  /// reached yet, or there is no L2.
  std::string server() const;

  // By each operation that goes beyond a hit. In the child of a fork this is where threads are made again, and threads
  // that were not to be had are tried for again.
  /// Whether entries on these terms go to L2.
  bool used_by(const EntryTerms& terms);
  /// There is an L2, and the manager is open.
  bool reachable();
  /// The first of these two alone, before the manager closes.
  void notice_fork();

 private:
  std::shared_ptr<MasterFinder> follow_master(const Endpoint& endpoint, LinkOptions& link);
  std::optional<Cluster::Options> cluster_options(const Endpoint& endpoint, const LinkOptions& link);
  void other_server();
  void note_failure(std::string_view operation, std::string_view kind);
  void tend();
  void revive();

  Context& context_;
  L1Trust& trust_;
  ForeignLoads& foreign_loads_;
  L2Counters& counters_;
  LogOnce failures_;
  // Null: in-process only. In this order: each uses those before it, also on threads of its own.
  std::unique_ptr<L2Store> l2_store_;
  std::unique_ptr<Coherence> coherence_;
  std::unique_ptr<LeaseRenewal> lease_renewal_;
  std::unique_ptr<Confirmations> confirmations_;
  std::unique_ptr<Failover> failover_;           ///< null also where no sentinels are asked
  std::unique_ptr<ClusterWatch> cluster_watch_;  ///< null also where there is no cluster
  std::atomic<bool> follows_map_{false};         ///< the watch may be started
  std::atomic<std::uint32_t> forks_{fork_count()};
  Mutex reviving_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
