/// Single flight: which load a caller joins, and what keeps callers from joining.
#include "l1/store.hpp"

#include "entry/integer_type.hpp"
#include "l1/hit.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// An invalidation of any tag that the caller's wrapper names reaches what has these.
bool carries_all_of(const Flight& mine, const TagSet* tags) {
  if (!mine.identity->mixed_tags.load(std::memory_order_relaxed)) return true;
  return mine.tags.empty() || (tags && tags->includes(mine.tags));
}

/// What the load brings does not count any more: something that it depends on was invalidated since it began.
bool is_invalidated(const Flight& load, std::uint64_t store_cleared) {
  return load.state.fenced || load.sequence < store_cleared || load.is_invalidated();
}

/// True when a caller that comes now may take what this flight brings.
bool joinable(const Flight& flight, const Flight& mine, std::uint64_t store_cleared, std::uint64_t fill_epoch) {
  const Flight::State& state = flight.state;
  const bool without_claim = state.unclaimed || (state.revoked && !flight.leased.load(std::memory_order_acquire));
  // Case 9: its value may name a tag whose invalidation was not reported.
  const bool unreported = flight.names_tags && (mine.closes_at_load || state.epoch_at_load != fill_epoch);
  const bool lapsed = flight.lapsed.load(std::memory_order_relaxed);
  const bool closed =
      state.closed || lapsed || (state.loading && (without_claim || flight.closes_at_load || unreported));
  return flight.kind == FlightKind::load && !closed && !state.superseded && flight.type->same(*mine.type) &&
         flight.identity == mine.identity && flight.name == mine.name && flight.full == mine.full &&
         !is_invalidated(flight, store_cleared) && carries_all_of(mine, &flight.tags);
}

}  // namespace

Store::Joined Store::join(std::shared_ptr<Flight> mine, Wants wants, TimePoint now) {
  const KeyView key = mine->key();
  Joined joined;
  Shard& home = shard(key.hash);
  const SpinGuard lock(home.lock);
  if (wants == Wants::refresh) {  // case 5 of flight.hpp
    home.mark_flights(key, &Flight::State::superseded);
  } else {
    Node* const node = wants == Wants::load ? nullptr : home.find(key);
    const bool by_function = node && node->identity;
    const bool meant = node && !(wants == Wants::own && node->shared);
    if (meant && (node->type->serves(*mine->type) || serves_as_integer(*node, *mine->type)) &&
        (!by_function || carries_all_of(*mine, node->extra ? &node->extra->tags : nullptr))) {
      joined.freshness = evaluate(*node, mine->identity, now);
      if (joined.freshness != Freshness::miss) joined.entry = home.use(*node, now);
      if (backs_off(*node, now)) joined.freshness = without_refresh(joined.freshness);
    }
    if (joined.freshness == Freshness::fresh || joined.freshness == Freshness::serving) return joined;
    const std::uint64_t cleared = home.cleared;
    home.flights.each(key, [&](const std::shared_ptr<Flight>& flight) {
      if (joinable(*flight, *mine, cleared, fill_epoch_.current())) joined.flight = flight;
    });
    if (joined.flight) {
      joined.loading = joined.flight->state.loading;
      joined.changed = joined.loading && (joined.flight->state.revoked || outlives_bound(*joined.flight, now));
      return joined;
    }
  }
  mine->state.fill_epoch = fill_epoch_.current();
  home.flights.add(mine);
  joined.flight = std::move(mine);
  joined.lead = true;
  return joined;
}

bool Store::outlives_bound(const Flight& flight, TimePoint now) const noexcept {
  const Duration most = shared_life_.load(std::memory_order_relaxed);
  return most != forever && now - flight.state.loading_since > most;
}

void Store::begin(const std::shared_ptr<Flight>& flight) {
  Shard& home = shard(flight->hash);
  const SpinGuard lock(home.lock);
  if (flight->kind == FlightKind::write) home.fence_reads(flight->key());
  flight->state.superseded = flight->kind == FlightKind::fill;
  flight->state.fill_epoch = fill_epoch_.current();
  home.flights.add(flight);
}

void Store::rearm(Flight& flight, bool keep) {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  // A caller that comes from now on comes after the change.
  if (flight.state.revoked && flight.state.loading) flight.state.superseded = true;
  flight.state.revoked = false;
  flight.state.fill_epoch = keep ? fill_epoch_.current() : FillEpoch::kNever;
}

void Store::begin_claim(Flight& flight) {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  if (!flight.state.loading) flight.state.revoked = false;  // else case 10 of flight.hpp
}

void Store::begin_loading(Flight& flight, TimePoint now) {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  if (flight.state.loading) return;  // case 10 of flight.hpp: since the value was read that its loader is shown
  flight.state.loading = true;
  flight.state.loading_since = now;
  flight.state.epoch_at_load = fill_epoch_.current();
}

std::shared_ptr<Flight> Store::begin_unclaimed(Flight& flight) {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  std::shared_ptr<Flight> running;
  const std::uint64_t cleared = home.cleared;
  home.flights.each(flight.key(), [&](const std::shared_ptr<Flight>& other) {
    const Flight::State& state = other->state;
    if (!state.unclaimed || !state.loading || state.revoked || state.superseded) return;
    if (!is_invalidated(*other, cleared)) running = other;
  });
  if (running) return running;
  flight.state.revoked = false;
  flight.state.loading = flight.state.unclaimed = true;
  return nullptr;
}

void Store::begin_unclaimed_beside(Flight& flight) {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  flight.state.revoked = false;
  flight.state.loading = flight.state.unclaimed = true;
}

void Store::stop_joining(Flight& flight) {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  flight.state.closed = true;
}

void Store::supersede(Flight& flight) {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  flight.state.superseded = true;
}

bool Store::fenced(const Flight& flight) const {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  return flight.state.fenced || flight.sequence < home.cleared;
}

bool Store::fenced_by_key(const Flight& flight) const {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  return flight.state.fenced && flight.sequence >= home.cleared;
}

bool Store::revoked(const Flight& flight) const {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  return flight.state.revoked;
}

void Store::fence_loads() {
  for (Shard& home : shards()) {
    const SpinGuard lock(home.lock);
    home.mark_flights(&Flight::State::fenced);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
