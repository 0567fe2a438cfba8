/// Before a load of a raw value: it has no place for a lease, which stands beside it.
#include <algorithm>

#include "l1/flight.hpp"
#include "load/lease_coordinator.hpp"
#include "load/load_scope.hpp"
#include "load/take_claims.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Acquired LeaseCoordinator::acquire_raw(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency,
                                       LoadPlace& place) {
  Acquired acquired;
  std::vector<Fetched> seen;
  std::vector<std::size_t> looked;
  std::vector<RawWish> wishes;
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    if (batch.flights[i]->forced) {
      wishes.push_back({.place = i, .joins = true});
    } else {
      seen.push_back({batch.flights[i]->key()});
      looked.push_back(i);
    }
  }
  const TypeOps* types[] = {spec.type};
  if (!seen.empty()) l2_.read(seen, types, nullptr, *spec.terms, {}, spec.identity);
  for (std::size_t n = 0; n < seen.size(); ++n) {
    const std::size_t i = looked[n];
    if (seen[n].node) {
      land_found(*batch.flights[i], *spec.terms, std::move(seen[n].node), Freshness::fresh);
    } else if (seen[n].asked) {
      wishes.push_back({.place = i, .read = seen[n].nothing ? LeaseStore::kAbsent : ""});
    } else {  // L2 is out of reach
      acquired.owned.add(batch.items[i], batch.flights[i], {});
    }
  }
  if (wishes.empty()) return acquired;
  if (place.try_hold()) {
    take_raw_claims(batch, spec, urgency, wishes, acquired);
  } else {
    for (const RawWish& wish : wishes) acquired.queued.add(batch.items[wish.place], batch.flights[wish.place]);
  }
  return acquired;
}

/// Each of `wishes` becomes one of `acquired`.
void LeaseCoordinator::take_raw_claims(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency,
                                       std::span<RawWish> wishes, Acquired& acquired) {
  std::vector<LeaseStore::RawTake> takes;
  std::vector<RawWish*> asked;
  std::vector<EntryQuery> unnumbered;
  for (RawWish& wish : wishes) {
    const auto& flight = batch.flights[wish.place];
    if (pending().concerns_plain() || pending().concerns_key(flight->name) || !l2_store().leases().may_lease()) {
      acquired.owned.add(batch.items[wish.place], flight, {});
      continue;
    }
    takes.push_back({flight->name, new_lease_token(), wish.joins, wish.read});
    asked.push_back(&wish);
    if (flight->forced && wish.claim.order == 0) unnumbered.push_back({.name = flight->name, .orders = true});
  }
  if (takes.empty()) return;
  Versions versions;
  if (!unnumbered.empty()) l2_store().reader().read(unnumbered, {}, versions, true, true);
  auto numbered = unnumbered.begin();
  const auto hold = [&](RawWish& wish, const LeaseToken& generation) {
    wish.claim.hold.dropped();
    wish.claim.hold = make_hold(batch.flights[wish.place], spec, {}, generation, wish.claim.order, true);
    wish.claim.hold.begin();
  };
  for (std::size_t n = 0; n < takes.size(); ++n) {
    std::uint32_t& order = asked[n]->claim.order;
    if (batch.flights[asked[n]->place]->forced && order == 0) order = std::max<std::uint32_t>((numbered++)->order, 1);
    // Before the request is sent: the coordinator's first invariant.
    hold(*asked[n], takes[n].token);
    context_.store.begin_claim(*batch.flights[asked[n]->place]);
  }
  const auto taken = l2_store().leases().take_raw(takes, Leases::kLife);
  for (std::size_t n = 0; n < takes.size(); ++n) {
    Claim& claim = asked[n]->claim;
    const std::size_t item = batch.items[asked[n]->place];
    const auto& flight = batch.flights[asked[n]->place];
    const auto& held = taken[n].generation;
    if (!held) {
      // A server that was stopped may take it when it goes on. A script that was refused may have done so: then the
      // hold is given back, as always.
      if (!taken[n].done.refused) claim.hold.taken(taken[n].done);
      acquired.owned.add(item, flight, {});
      continue;
    }
    const bool is_foreign = *held != takes[n].token;
    if (!is_foreign || (asked[n]->joins && *held != LeaseToken{})) {
      claim.kind = Claim::Kind::raw;
      claim.generation = *held;
      if (is_foreign) hold(*asked[n], *held);
      flight->generation = claim.generation;
      acquired.owned.add(item, flight, std::move(claim));
      continue;
    }
    claim.hold.dropped();
    if (urgency == LoadUrgency::behind) {
      back_off(flight, std::nullopt);
    } else if (LoadScope::holds_lease(*held)) {
      acquired.owned.add(item, flight, {});
    } else {
      flight->wait_for(*held, 0);
      acquired.foreign.add(item, flight);
    }
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
