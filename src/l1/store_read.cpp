/// Reading entries under the lock: what hit.hpp does not answer without it.
#include "l1/store.hpp"

#include "l1/hit.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Freshness Store::find_aged(const KeyView& key, const TypeOps& type, const Identity* reader, TimePoint now,
                           NodeRef& out) noexcept {
  Shard& home = shard(key.hash);
  const SpinGuard lock(home.lock);
  Node* node = home.find(key);
  if (!node || !node->type->serves(type)) return Freshness::miss;
  Freshness freshness = evaluate(*node, reader, now);
  if (freshness == Freshness::miss) return freshness;
  out = home.use(*node, now);
  if (backs_off(*node, now)) return without_refresh(freshness);
  home.flights.each(key, [&](const std::shared_ptr<Flight>& flight) {
    if (flight->state.fenced || flight->kind != FlightKind::load || flight->full != key.full) return;
    freshness = without_refresh(freshness);
  });
  return freshness;
}

NodeRef Store::peek(const KeyView& key, TimePoint now) noexcept {
  Shard& home = shard(key.hash);
  const SpinGuard lock(home.lock);
  Node* node = home.find(key);
  if (!node || evaluate(*node, nullptr, now) == Freshness::miss) return {};
  return NodeRef::to(*node);
}

NodeRef Store::previous(const Flight& flight, TimePoint now) noexcept {
  Shard& home = shard(flight.hash);
  const SpinGuard lock(home.lock);
  Node* node = home.find(flight.key());
  if (!node || !node->type->serves(*flight.type) || evaluate(*node, flight.identity, now) == Freshness::miss) return {};
  return NodeRef::to(*node);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
