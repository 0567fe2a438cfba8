#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "l2/client/address_map.hpp"
#include "l2/client/link.hpp"
#include "l2/topology/slot_map.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The links to the masters of a Redis Cluster, and which of them serves which slot. Thread-safe. Nothing here throws
/// for what the network does.
///
/// A request is taken apart into pieces of one slot each (see SplitRequest); each master gets its pieces as one request
/// over its Link, which has its own connections, breaker and deadlines as a single server's has. Commands without a key
/// go to the home master, which serves the slot of the namespace's own keys.
///
/// Redirects: a piece that a node refused by MOVED, ASK or TRYAGAIN was not executed, so it is sent again where it
/// belongs, writes too, at most kMostRedirects times and by the one deadline of the request.
///
/// The map of the slots is asked for at the first request, when somebody calls refresh(), and corrected by each MOVED.
/// Whoever changes it calls `on_change` first, then publishes it, so that nothing is read from a new owner before.
///
/// Requests for slots that nobody serves fail at once.
class Cluster {
 public:
  struct Options {
    LinkOptions link;  ///< how to reach a node, and who to log in as; without the address
    std::vector<HostPort> seeds;
    AddressMap addresses{};
    bool tls = false;
    Slot home = 0;
    /// A key of the slot that is never there: see LinkOptions::probe_key.
    std::function<std::string(Slot)> probe_key;
    /// Another map than before is about to be used. Not for the first one. Must not use the cluster, and not throw.
    std::function<void(const SlotChange&, const SlotMap& next)> on_change = [](const SlotChange&, const SlotMap&) {};
    /// A value came from a node that serves no slots yet. Likewise.
    std::function<void()> on_stranger = [] {};
    /// A master was restarted, or has another history than before: as LinkOptions::on_new_server.
    std::function<void()> on_new_server = [] {};
    /// Another map is in use.
    std::function<void()> on_map = [] {};
    /// The map may be out of date: refresh() is to be called. Cheap.
    std::function<void()> wants_refresh = [] {};
  };
  static constexpr int kMostRedirects = 5;

  explicit Cluster(Options options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// As Link::run. Where some masters have answered and others have not, there are replies that are missing: see
  /// Reply::Missing.
  Answer run(const Request& request, Purpose purpose, Lane lane);
  /// Asks the nodes for the map. False: none of them had one; see why().
  bool refresh(TimePoint deadline);
  /// Null: none is known yet.
  std::shared_ptr<const SlotMap> map();
  /// When the nodes were asked last that named the map there is. The beginning of time: never.
  TimePoint confirmed();
  /// The last attempt to get a map did.
  bool failed();
  /// Why there is no map, or none that is up to date; empty where there is one.
  std::string why();
  /// The link to the home master; null where none is known.
  std::shared_ptr<Link> home();
  void close() noexcept;
  /// How often slots changed their master.
  std::uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }
  const Options& options() const { return options_; }

 private:
  struct State;
  class Run;
  State& state();

  const Options options_;
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<State*> state_;  ///< owned; a child of a fork makes its own, as that of a Link
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
