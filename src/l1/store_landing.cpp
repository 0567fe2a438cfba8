/// How flights end: which of them are stored.
#include "l1/store.hpp"

#include "entry/integer_type.hpp"
#include "l1/hit.hpp"
#include "l1/unlinked.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Only in this process: where L2 has the entry, too, that says what is to become of it.
bool is_for_others(const Node& held, const Flight& flight) {
  const bool its = (!held.identity || held.identity == flight.identity) &&
                   (held.type->serves(*flight.type) || serves_as_integer(held, *flight.type));
  return !its && !held.shared && !flight.forced;
}

}  // namespace

Store::Published Store::land(Flight& flight, Landing landing, TimePoint now) {
  std::shared_ptr<Flight> detached;
  Shard& home = shard(flight.hash);
  Unlinked dead(home);
  const SpinGuard lock(home.lock);
  detached = home.flights.remove(flight);
  Node* held = home.find(flight.key());
  if (flight.state.fenced || flight.sequence < home.cleared) {  // case 1 of flight.hpp
    // A write that is still under way leaves the entry until it ends, which may be older than what was loaded: the
    // load's caller must not get the older value again. An entry that L2 has too is only read once more.
    const bool loaded = flight.kind == FlightKind::load && landing.replace_by && !landing.found;
    if (loaded && held && held->shared) home.remove(held, dead);
    return Published::fenced;
  }
  if (landing.remove && held && is_for_others(*held, flight)) landing.remove = false;
  const bool brings = (landing.replace_by && !landing.found) || landing.remove;
  if (brings) home.fence_superseded(flight);
  const bool loaded = brings && flight.kind == FlightKind::load;
  const bool crossed = loaded && home.keep_out_later_fills(flight) && landing.replace_by && landing.replace_by->shared;
  if (landing.replace_by && (crossed || !keeps(flight, *landing.replace_by))) {
    landing.replace_by.reset();
    landing.remove = !landing.found && held && held->shared;
  }
  if (landing.replace_by) {
    limit_life(*landing.replace_by, now);
    const bool stored = home.insert(held, std::move(landing.replace_by), now, dead);
    return stored ? Published::stored : Published::refused;
  }
  if (held && landing.remove) {
    home.remove(held, dead);
  } else if (held && landing.retry_after != TimePoint{} && held->created <= landing.retry_of &&
             held->type->serves(*flight.type)) {
    held->retry_after.store(landing.retry_after, std::memory_order_relaxed);
  }
  return Published::nothing;
}

void Store::end_write(Flight& flight, NodeRef node, SendOrder order, TimePoint now) {
  std::shared_ptr<Flight> detached;
  Shard& home = shard(flight.hash);
  Unlinked dead(home);
  const SpinGuard lock(home.lock);
  detached = home.flights.remove(flight);
  Node* held = home.find(flight.key());
  const bool alone = !flight.state.rival.sent();
  const bool counts = node && !flight.state.fenced && flight.sequence >= home.cleared && keeps(flight, *node);
  if (counts && (alone || order > flight.state.rival)) {
    home.fence_reads(flight.key());
    home.note_write_order(flight.key(), order);
    limit_life(*node, now);
    home.insert(held, std::move(node), now, dead);
    return;
  }
  if (counts && order < flight.state.rival) return;  // what the rival left, or what came after it, is newer
  // Which of the writes under way L2 executes last is unknown.
  home.fence(flight.key());
  if (held) home.remove(held, dead);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
