/// Before a load of a raw value: it has no place for a lease, which stands beside it.
#include <algorithm>

#include "l1/flight.hpp"
#include "load/lease_coordinator.hpp"
#include "load/load_scope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Acquired LeaseCoordinator::acquire_raw(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency,
                                       LoadPlace& place) {
  Acquired acquired;
  std::vector<Fetched> seen;
  std::vector<std::size_t> looked, open;
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    if (batch.flights[i]->forced) {
      open.push_back(i);
    } else {
      seen.push_back({batch.flights[i]->key()});
      looked.push_back(i);
    }
  }
  const TypeOps* types[] = {spec.type};
  if (!seen.empty()) l2_.read(seen, types, nullptr, *spec.terms, {}, spec.identity);
  std::vector<std::string> read(batch.flights.size());
  for (std::size_t n = 0; n < seen.size(); ++n) {
    const std::size_t i = looked[n];
    if (seen[n].nothing) read[i] = LeaseStore::kAbsent;
    if (seen[n].node) {
      land_found(*batch.flights[i], *spec.terms, std::move(seen[n].node), Freshness::fresh);
    } else if (seen[n].asked) {
      open.push_back(i);
    } else {  // L2 is out of reach
      acquired.owned.add(batch.items[i], batch.flights[i], {});
    }
  }
  if (open.empty()) return acquired;
  if (place.try_hold()) {
    take_raw_claims(batch, spec, urgency, open, read, acquired);
  } else {
    for (const std::size_t i : open) acquired.queued.add(batch.items[i], batch.flights[i]);
  }
  return acquired;
}

/// Each of `open`, which are places in `batch`, becomes one of `acquired`.
void LeaseCoordinator::take_raw_claims(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency,
                                       std::span<const std::size_t> open, const std::vector<std::string>& read,
                                       Acquired& acquired) {
  std::vector<LeaseStore::RawTake> takes;
  std::vector<Claim> claims;
  std::vector<std::size_t> places;
  std::vector<EntryQuery> forced;
  for (const std::size_t i : open) {
    const auto& flight = batch.flights[i];
    if (pending().concerns_key(flight->name) || !l2_store().leases().may_lease()) {
      acquired.owned.add(batch.items[i], flight, {});
      continue;
    }
    takes.push_back({flight->name, new_lease_token(), flight->forced, read[i]});
    claims.emplace_back();
    places.push_back(i);
    if (flight->forced) forced.push_back({.name = flight->name, .orders = true});
  }
  if (takes.empty()) return;
  Versions versions;
  if (!forced.empty()) l2_store().reader().read(forced, {}, versions, true, true);
  auto numbered = forced.begin();
  const auto hold = [&](std::size_t n, const LeaseToken& generation) {
    claims[n].hold.dropped();
    claims[n].hold = make_hold(batch.flights[places[n]], spec, {}, generation, claims[n].order, true);
    claims[n].hold.begin();
  };
  for (std::size_t n = 0; n < takes.size(); ++n) {
    if (takes[n].join) claims[n].order = std::max<std::uint32_t>((numbered++)->order, 1);
    // Before the request is sent: the coordinator's first invariant.
    hold(n, takes[n].token);
  }
  const auto taken = l2_store().leases().take_raw(takes, Leases::kLife);
  for (std::size_t n = 0; n < takes.size(); ++n) {
    const std::size_t item = batch.items[places[n]];
    const auto& flight = batch.flights[places[n]];
    const auto& held = taken[n].generation;
    if (!held) {
      // A server that was stopped may take it when it goes on. A script that was refused may have done so: then the
      // hold is given back, as always.
      if (!taken[n].done.refused) claims[n].hold.taken(taken[n].done);
      acquired.owned.add(item, flight, {});
      continue;
    }
    const bool is_foreign = *held != takes[n].token;
    if (!is_foreign || flight->forced) {
      claims[n].kind = Claim::Kind::raw;
      claims[n].generation = *held;
      if (is_foreign) hold(n, *held);
      flight->generation = claims[n].generation;
      acquired.owned.add(item, flight, std::move(claims[n]));
      continue;
    }
    claims[n].hold.dropped();
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
