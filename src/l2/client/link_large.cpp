/// Connections for large values.
#include <algorithm>

#include "l2/client/link_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// From one that could not be made to the next attempt: the server may have reached its maxclients.
constexpr std::chrono::seconds kPause{1};

}  // namespace

void Link::State::Checkout::leave_large() const {
  connection->left_at.store(Clock::now(), std::memory_order_relaxed);
  connection->users.fetch_sub(1, std::memory_order_release);
}

/// False: none is to be had, or the breakers decide. The shared connection will do, if any does.
bool Link::State::check_out_large(Checkout& checkout, Lane lane, TimePoint deadline) {
  const MutexLock lock(mutex);
  if (closed || breaker.phase() != Breaker::Phase::closed || write_breaker.phase() != Breaker::Phase::closed) {
    return false;
  }
  Slot* const slot = choose_large(lane);
  if (!slot) return false;
  if (!slot->connection) connect_large(*slot, deadline);
  if (!slot->connection) return false;
  checkout.connection = slot->connection;
  checkout.connection->users.fetch_add(1, std::memory_order_relaxed);
  checkout.large = true;
  return true;
}

/// An idle connection, or room for one more, or the one with the fewest users.
Link::State::Slot* Link::State::choose_large(Lane lane) {
  const auto& shared = slots[0].connection;
  if (!shared || !shared->usable() || (lane == Lane::large_read && shared->has_abandoned())) return nullptr;
  const TimePoint now = Clock::now();
  drop_idle(now);
  Slot *least = nullptr, *room = nullptr;
  const auto users = [](const Slot& slot) { return slot.connection->users.load(std::memory_order_acquire); };
  for (Slot& slot : large_slots) {
    if (slot.connection && !slot.connection->usable()) slot.connection.reset();
    if (slot.connection) {
      if (!least || users(slot) < users(*least)) least = &slot;
    } else if (!room && !slot.connecting) {
      room = &slot;
    }
  }
  if (room && now >= next_large && (!least || users(*least) != 0)) return room;
  return least;
}

/// In half of the time that is left: with the other half the request can go over the shared connection.
void Link::State::connect_large(Slot& slot, TimePoint deadline) {
  const TimePoint now = Clock::now();
  attempts_made.fetch_add(1, std::memory_order_relaxed);
  slot.connecting = true;
  std::shared_ptr<Pooled> made;
  {
    const MutexUnlock unlocked(mutex);
    made = connect(std::min(now + (deadline - now) / 2, by(options.connect_timeout)));
  }
  slot.connecting = false;
  if (closed) return;
  if (made && made->server == server.number) {
    connections_made.fetch_add(1, std::memory_order_relaxed);
    slot.connection = std::move(made);
  } else {
    next_large = saturating_add(Clock::now(), kPause);
  }
}

void Link::State::close_idle() {
  if (options.large_connections == 0) return;
  const MutexLock lock(mutex);
  drop_idle(Clock::now());
}

void Link::State::drop_idle(TimePoint now) {
  for (Slot& slot : large_slots) {
    if (!slot.connection || slot.connection->users.load(std::memory_order_acquire) != 0) continue;
    if (now - slot.connection->left_at.load(std::memory_order_relaxed) < options.large_idle) continue;
    slot.connection->close_as_corrupt("it was idle");
    slot.connection.reset();
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
