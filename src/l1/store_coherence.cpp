/// With an L2: which of its values may be kept, and which entries go when the invalidation channel goes down.
#include "l1/store.hpp"

#include <algorithm>

#include "l1/hit.hpp"
#include "l1/unlinked.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Cases 3 and 8 of flight.hpp.
bool Store::keeps(const Flight& flight, const Node& node) const {
  const std::uint64_t noted = flight.state.fill_epoch;
  if (node.shared) return !flight.state.revoked && FillEpoch::is_open(noted) && noted == fill_epoch_.current();
  // Loaded by this process for itself: the invalidation channel went neither down nor up since.
  return !heeds_others(node) || flight.kind == FlightKind::write || noted == fill_epoch_.current();
}

/// All of its times: past them it is as if L1 did not have it, and L2 is asked.
void Store::limit_life(Node& node, TimePoint now) const noexcept {
  const Duration most = shared_life_.load(std::memory_order_relaxed);
  if (!node.shared || most == forever) [[likely]]
    return;
  const TimePoint end = saturating_add(now, most);
  node.refresh_at = std::min(node.refresh_at, end);
  node.fresh_until = std::min(node.fresh_until, end);
  node.stale_until = std::min(node.stale_until, end);
}

void Store::close_fills(bool drops_l2) {
  // A flight that read the epoch before this, under a shard's lock, has inserted by the time that lock is taken here.
  fill_epoch_.close();
  drop(0, [&](const Node& node) { return node.shared ? drops_l2 : heeds_others(node); });
}

void Store::drop_l2(std::uint64_t sequence) {
  drop(sequence, [](const Node& node) { return node.shared; });
}

template <class Goes>
void Store::drop(std::uint64_t sequence, Goes goes) {
  for (Shard& home : shards()) {
    Unlinked dead(home);
    const SpinGuard lock(home.lock);
    home.cleared = std::max(home.cleared, sequence);
    home.mark_flights(&Flight::State::revoked);
    home.remove_if(goes, dead);
  }
}

void Store::revoke(const KeyView& key, const Flight* leads) {
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const SpinGuard lock(home.lock);
  home.flights.each(key, [&](const std::shared_ptr<Flight>& flight) {
    if (flight.get() != leads) flight->state.revoked = true;
  });
  // By name: L2, too, knows only one of two long keys that have one name.
  while (Node* held = home.find(key, [](const Node& node) { return node.shared; })) home.remove(held, dead);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
