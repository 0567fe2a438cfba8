#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/load.hpp>

#include "l1/flight.hpp"
#include "load/claim.hpp"
#include "load/lease_decision.hpp"
#include "load/load_place.hpp"
#include "load/miss_prediction.hpp"
#include "load/refresh_backoffs.hpp"
#include "two_level/context.hpp"
#include "two_level/foreign_loads.hpp"
#include "two_level/l2_cache.hpp"
#include "two_level/l2_counters.hpp"
#include "two_level/two_level.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Around a load with an L2: before it L2 is read, and where it has nothing that counts a lease is taken, so that one
/// process of all loads; after it the value is stored under the lease. Thread-safe.
///
/// Invariants:
/// - A lease is held, which means renewed and given back in the end, from before the request that takes it is sent:
///   whatever becomes of the request, no lease stays behind.
/// - The versions that a value is stored with are those from before its load. None that is read later replaces them.
/// - A value without a claim is stored nowhere: others would not learn of it, nor this process of what they do.
class LeaseCoordinator {
 public:
  LeaseCoordinator(Context& context, TwoLevel& levels, L2Cache& l2, ForeignLoads& foreign_loads,
                   RefreshBackoffs& backoffs, L2Counters& counters)
      : context_(context),
        levels_(levels),
        l2_(l2),
        foreign_loads_(foreign_loads),
        backoffs_(backoffs),
        counters_(counters) {}

  /// Each flight lands with what L2 has, or becomes one of the result. `looks`: how often this was done for them.
  Acquired acquire(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, int looks, LoadPlace& place);
  /// The next load is likely to find nothing at L2: see MissPrediction.
  bool expects_miss(const LoadSpec& spec) const noexcept {
    return !spec.terms->raw && prediction_.expects_miss(spec.identity) &&
           !prediction_.paused(std::chrono::steady_clock::now());
  }
  /// Waits until one of them changed at L2, or for a moment. False: they are not to be waited for any longer.
  bool wait_for_foreign(const Batch& waiting, int looks, TimePoint begun);
  /// Of the loads that these wait for, one that this process runs; null when other processes run them.
  std::shared_ptr<Flight> load_waited_for(const Batch& waiting) const;
  /// Stores what was loaded, or removes, or gives the lease up; `prepared` then says what is to become of it in L1.
  void store(OwnedLoads& owned, const LoadSpec& spec, std::vector<Prepared>& prepared, std::vector<Loaded>& loaded,
             Duration took);

 private:
  struct Ahead;
  struct Wanted;
  struct RawWish;
  class Acquisition;
  class Claims;
  struct Requests;

  L2Store& l2_store() const { return levels_.l2_store(); }
  const Pending& pending() const { return levels_.confirmations().pending(); }
  LeaseHold make_hold(const std::shared_ptr<Flight>& flight, const LoadSpec& spec, std::string key,
                      const LeaseToken& generation, std::uint32_t order, bool is_lease) const;

  // Before the load.
  void land_found(Flight& flight, const EntryTerms& terms, NodeRef node, Freshness freshness);
  /// Another process refreshes it: the value of L2 that was made at `created` (nullopt: there is none) is left alone
  /// for a while.
  void back_off(const std::shared_ptr<Flight>& flight, std::optional<TimePoint> created);
  Acquired acquire_raw(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place);
  void take_raw_claims(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, std::span<RawWish> wishes,
                       Acquired& acquired);

  // After it.
  void request_store(std::size_t i, OwnedLoads& owned, const LoadSpec& spec, Prepared& mine, Loaded& loaded,
                     Duration took, Requests& requests);
  void request_plain_store(std::size_t i, const OwnedLoads& owned, const LoadSpec& spec, Prepared& mine, Loaded& loaded,
                           Duration took, Requests& requests);
  bool note_failed(const Flight& flight, const Claim& claim, Prepared& mine);
  void limit_life(Node& node) const;
  void note_plain(const Requests& requests, const OwnedLoads& owned, const LoadSpec& spec,
                  std::vector<Prepared>& prepared);
  void ask_late_versions(const OwnedLoads& owned, const LoadSpec& spec, std::span<const Prepared> prepared,
                         Requests& requests);
  bool is_short_lived(std::string_view dependency, const Versions& versions, TimePoint stale_until,
                      const EntryTerms& terms) const;
  EntryAction store_action(std::size_t i, const OwnedLoads& owned, const LoadSpec& spec, Prepared& mine, Loaded& loaded,
                           Duration took, const Requests& requests, std::string& bytes);
  std::optional<std::string> encode_value(std::size_t i, const Node& value, const Claim& claim, const LoadSpec& spec,
                                          bool negative, Duration took, const Requests& requests);
  void owe_removal(const Flight& flight, const Prepared& mine);
  void note_stored(Flight& flight, Claim& claim, Prepared& mine, const Done& done, bool stores);

  Context& context_;
  TwoLevel& levels_;
  L2Cache& l2_;
  ForeignLoads& foreign_loads_;
  RefreshBackoffs& backoffs_;
  L2Counters& counters_;
  MissPrediction prediction_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
