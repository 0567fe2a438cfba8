/// Connections for large values.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "l2/client/link_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// From one that could not be made to the next attempt: the server may have reached its maxclients.
constexpr std::chrono::seconds kPause{1};

bool is_same_peer(int one, int other) {
  sockaddr_storage peers[2]{};
  socklen_t sizes[2] = {sizeof peers[0], sizeof peers[1]};
  if (::getpeername(one, reinterpret_cast<sockaddr*>(&peers[0]), &sizes[0]) != 0) return false;
  if (::getpeername(other, reinterpret_cast<sockaddr*>(&peers[1]), &sizes[1]) != 0) return false;
  return sizes[0] == sizes[1] && std::memcmp(&peers[0], &peers[1], sizes[0]) == 0;
}

/// Bytes that were given to the kernel and that the other end has not acknowledged.
std::uint64_t unacknowledged(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

}  // namespace

void Link::State::Checkout::leave_large() const {
  connection->left_at.store(Clock::now(), std::memory_order_relaxed);
  connection->users.fetch_sub(1, std::memory_order_release);
}

/// False: none is to be had, or the breakers decide. The shared connection will do, if any does.
bool Link::State::check_out_large(Checkout& checkout, Lane lane, TimePoint deadline) {
  const MutexLock lock(mutex);
  if (closed || breaker.phase() != Breaker::Phase::closed) return false;
  if (write_breaker.phase() != Breaker::Phase::closed && checkout.request.writes()) return false;
  Slot* const slot = choose_large(lane);
  if (!slot) return false;
  if (!slot->connection) connect_large(*slot, deadline);
  if (!slot->connection) return false;
  checkout.connection = slot->connection;
  checkout.connection->users.fetch_add(1, std::memory_order_relaxed);
  checkout.large = true;
  checkout.moved_before = checkout.connection->moved();
  return true;
}

/// An idle connection, or room for one more, or the one with the fewest users. One that owes replies to nobody but
/// those that have left makes room: what comes would hold up the next request.
Link::State::Slot* Link::State::choose_large(Lane lane) {
  const auto& shared = slots[0].connection;
  if (!shared || !shared->usable()) return nullptr;
  if (lane == Lane::large_read && shared->owes(shared->given_up_write)) return nullptr;
  const TimePoint now = Clock::now();
  if (now < large_from) return nullptr;
  drop_idle(now);
  Slot *least = nullptr, *room = nullptr;
  int fewest = 0;
  for (Slot& slot : large_slots) {
    if (slot.connection && !slot.connection->is_open_still()) slot.connection.reset();
    const int users = slot.connection ? slot.connection->users.load(std::memory_order_acquire) : 0;
    const bool owes = slot.connection && slot.connection->has_abandoned();
    if (owes && users == 0) {
      slot.connection->close_as_corrupt("it owes a reply that nobody waits for");
      slot.connection.reset();
    }
    if (slot.connection) {
      const int before_the_next = users + (owes ? 1 : 0);
      if (least && before_the_next >= fewest) continue;
      least = &slot;
      fewest = before_the_next;
    } else if (!room && !slot.connecting) {
      room = &slot;
    }
  }
  if (room && now >= next_large && (!least || fewest != 0)) return room;
  return least;
}

/// In half of the time that is left: with the other half the request can go over the shared connection.
void Link::State::connect_large(Slot& slot, TimePoint deadline) {
  const TimePoint now = Clock::now();
  attempts_made.fetch_add(1, std::memory_order_relaxed);
  slot.connecting = true;
  const ServerPlace place = options.finder ? server : ServerPlace{.address = options.address};
  const std::shared_ptr<Pooled> shared = slots[0].connection;
  std::shared_ptr<Pooled> made;
  std::string error;
  {
    const MutexUnlock unlocked(mutex);
    made = connect_beside(*shared, place, std::min(now + (deadline - now) / 2, by(options.connect_timeout)), error);
  }
  slot.connecting = false;
  if (closed) return;
  if (made && made->server == server.number) {
    connections_made.fetch_add(1, std::memory_order_relaxed);
    slot.connection = std::move(made);
    lacks_large = false;
    return;
  }
  next_large = saturating_add(Clock::now(), kPause);
  if (std::exchange(lacks_large, true)) return;
  const MutexUnlock unlocked(mutex);
  say(options.log, LogLevel::warning, "no connection for large values to {} ({}): they hold up other requests",
      endpoint, error);
}

/// To the server that the shared connection goes to, and no other: a lease that was taken there stands nowhere else.
/// Where it has moved, the shared connection finds that out.
std::shared_ptr<Link::State::Pooled> Link::State::connect_beside(const Connection& shared, const ServerPlace& place,
                                                                 TimePoint deadline, std::string& error) noexcept {
  try {
    std::string run;
    std::string_view refusal;
    auto made = open(place.address, deadline, error, refusal, run);
    if (!made) {
      if (!refusal.empty()) error = refusal;
      return nullptr;
    }
    if ((options.finder && run != place.run) || !is_same_peer(made->descriptor(), shared.descriptor())) {
      error = "another server answers there";
      return nullptr;
    }
    made->server = place.number;
    made->served = true;  // the server is up: what a large value meets says nothing of small ones
    return made;
  } catch (const std::exception&) {
    error = "no memory or no descriptor";
  }
  return nullptr;
}

/// One that has not answered a single request may lead nowhere. But not where the other end takes and sends bytes: then
/// the request was too large for its time.
void Link::State::leave_large_for_now(const Checkout& checkout) {
  const Pooled& connection = *checkout.connection;
  if (connection.answered.load()) return;
  const std::uint64_t moved = connection.moved() - checkout.moved_before;
  if (moved >= Connection::kProgress + unacknowledged(connection.descriptor())) return;
  constexpr std::chrono::seconds kWithoutThem{10};
  const MutexLock lock(mutex);
  large_from = saturating_add(Clock::now(), kWithoutThem);
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
