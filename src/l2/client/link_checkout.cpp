/// From a request to a connection, and what the request's outcome says of the server.
#include <algorithm>

#include "l2/client/handshake.hpp"
#include "l2/client/link_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// An attempt that is given next to no time would fail and say nothing of the server.
Duration least_time(const LinkOptions& options) {
  return std::min(options.connect_timeout, options.operation_timeout) / 8;
}

/// Where the server has become a replica, its name or address may lead to another by now. Where it was none before, it
/// will do so as long as the connection lasts.
/// But one that was said to be a master, and was one, is none any more.
void leave_replica(Connection& connection, TimePoint made, const LinkOptions& options) {
  if (!connection.usable() || (!options.finder && Clock::now() - made < 10 * options.operation_timeout)) return;
  say(options.log, LogLevel::warning, "{} is a replica and read-only: reconnecting", server_name(options));
  connection.close_as_corrupt("the server is a replica");
}

}  // namespace

// --- to a connection

void Link::State::check_out(Checkout& checkout, std::size_t index, TimePoint deadline) {
  MutexLock lock(mutex);
  const bool writes = write_breaker.phase() != Breaker::Phase::closed && checkout.request.writes();
  if ((breaker.is_open() || (writes && write_breaker.is_open())) && !start_recovery()) recover_on_caller(deadline);
  if (writes) {
    checkout.tests_writes = write_breaker.let_through();
    if (!checkout.tests_writes) {
      checkout.why = write_breaker.why();
      return;
    }
  }
  checkout.half_open = breaker.let_through();
  if (checkout.half_open) index = 0;  // where the probe's connection is
  Next next = Next::wait;
  while ((next = next_for(checkout, index, deadline)) == Next::wait) {
    changed.wait_until(lock.native(), deadline - least_time(options));
  }
  if (next == Next::connect) connect_slot(checkout, slots[index], deadline);
  if (!checkout.connection) checkout.why = closed ? std::string_view("the manager is closed") : breaker.why();
}

/// Where there is no shared connection, none for large values can be made beside it: it is made first.
void Link::State::check_out_beside(Checkout& checkout, Lane lane, std::size_t index, TimePoint deadline) {
  if (check_out_large(checkout, lane, deadline)) return;
  check_out(checkout, index, deadline);
  if (checkout.connection) check_out_large(checkout, lane, deadline);
}

/// A write that may have been executed is not executed twice. And a reply that was seen to be large is not asked for
/// twice on the shared connection, where it holds up, or ends, all other requests.
bool Link::State::may_repeat(const Checkout& checkout, Purpose purpose, bool sent, const Answer& failed) const {
  if (!options.retry || (purpose == Purpose::write && sent)) return false;
  return checkout.large || !failed.saw_large() || options.large_connections == 0;
}

Link::State::Next Link::State::next_for(Checkout& checkout, std::size_t& index, TimePoint deadline) {
  if (breaker.holds_back() && !checkout.half_open) {
    if (breaker.is_open()) start_recovery();
    return Next::refuse;
  }
  const auto take = [&](const Slot& slot) {
    if (!slot.connection || !slot.connection->usable()) return false;
    checkout.connection = slot.connection;
    return true;
  };
  if (take(slots[index])) return Next::use;
  if (closed) return Next::refuse;
  if (breaker.is_open()) {
    start_recovery();
    return Next::refuse;
  }
  const TimePoint now = Clock::now();
  if (deadline - now < least_time(options)) return Next::refuse;
  if (slots[index].connecting) return Next::wait;
  if (now >= attempts.next()) return Next::connect;
  // Enough was tried for now. What another slot has will do; if none has anything, the server is as good as away.
  const auto other = std::find_if(slots.begin(), slots.end(), [](const Slot& each) {
    return each.connecting || (each.connection && each.connection->usable());
  });
  if (other == slots.end()) {
    go_down(false);
    return Next::refuse;
  }
  index = static_cast<std::size_t>(other - slots.begin());
  return take(*other) ? Next::use : Next::wait;
}

void Link::State::connect_slot(Checkout& checkout, Slot& slot, TimePoint deadline) {
  const TimePoint begun = Clock::now();
  note_attempt(begun);
  slot.connecting = true;
  slot.connection.reset();
  std::shared_ptr<Pooled> made;
  {
    const MutexUnlock unlocked(mutex);
    made = connect(std::min(deadline, by(options.connect_timeout)));
  }
  slot.connecting = false;
  if (closed) {
    made.reset();
  } else if (made && install(slot, made)) {
    patience.connected_in(Clock::now() - begun);
  } else {
    made.reset();
    checkout.half_open = false;  // as it ends here
    go_down(true);
  }
  changed.notify_all();
  checkout.connection = std::move(made);
}

/// When a request comes with no time left: what has used it up, where that is known.
std::string_view Link::State::why_no_time_is_left() {
  if (!awaits_success.load(std::memory_order_relaxed)) return "no time was left to ask the server";
  const MutexLock lock(mutex);
  return breaker.why();
}

// --- from its outcome

void Link::State::record(Checkout& checkout, const std::vector<Reply>& replies) {
  Pooled& connection = *checkout.connection;
  if (!connection.served.load(std::memory_order_relaxed)) connection.served.store(true, std::memory_order_relaxed);
  if (checkout.large) connection.answered.store(true, std::memory_order_relaxed);
  for (const Reply& reply : replies) {
    if (reply.means_not_now()) return record_failure(checkout, true, reply.why);
    if (reply.error_code() != "READONLY") continue;
    leave_replica(connection, connection.made, options);
    break;
  }
  if (awaits_success.load(std::memory_order_relaxed) ||
      (awaits_write.load(std::memory_order_relaxed) && checkout.request.writes())) {
    record_success(checkout);
  }
}

void Link::State::record_success(Checkout& checkout) {
  bool closes = false, closes_for_writes = false;
  {
    const MutexLock lock(mutex);
    if (!breaker.is_open()) {
      attempts.forget();
      pauses.reset();
    }
    closes = breaker.succeeded(checkout.half_open);
    closes_for_writes = checkout.request.writes() && write_breaker.succeeded(checkout.tests_writes);
  }
  if (closes) {
    say(options.log, LogLevel::info, "circuit breaker closed for {}: the server answers again", endpoint);
  }
  if (closes_for_writes) {
    say(options.log, LogLevel::info, "circuit breaker closed for writes to {}: writes succeed again", endpoint);
  }
}

void Link::State::record(Checkout& checkout, const Answer& failed) {
  const Fault fault = failed.fault;
  const std::string_view why = failed.why;
  const Connection::Phase phase = checkout.connection->phase();
  const bool tests = checkout.half_open || checkout.tests_writes;
  const bool in_time = fault != Fault::timeout && phase != Connection::Phase::timed_out;
  if (checkout.large && !in_time) leave_large_for_now(checkout);
  if (!checkout.large && fault == Fault::timeout && checkout.request.writes()) {
    const MutexLock lock(mutex);
    checkout.connection->given_up_write = std::max(checkout.connection->given_up_write, failed.order.place);
  }
  // The caller abandoned its request; the connection works. But a write that large parts of were sent may wait there.
  if (fault == Fault::timeout && !tests && phase == Connection::Phase::open) return record_slow_write(checkout, why);
  // A connection that worked may end, for one reply too large or because the server restarts.
  if (in_time && !tests && checkout.connection->served.load(std::memory_order_relaxed)) return;
  record_failure(checkout, false, !in_time && fault == Fault::lost ? "the server did not answer in time" : why);
}

void Link::State::record_failure(Checkout& checkout, bool refused, std::string_view why) {
  bool opens = false, opens_for_writes = false;
  {
    const MutexLock lock(mutex);
    breaker.await_success();
    if (closed) return;
    opens = refused ? breaker.refused(why, checkout.half_open) : breaker.failed(Clock::now(), why, checkout.half_open);
    if (opens) start_recovery();
    // Where all requests fail, the breaker of all is the one that opens.
    if (!opens && !refused) opens_for_writes = write_failed(checkout, why);
  }
  if (opens) {
    say(options.log, LogLevel::warning,
        "circuit breaker open for {} ({}): requests fail immediately until the server answers", endpoint, why);
  }
  if (opens_for_writes) say_writes_fail(why);
}

void Link::State::record_slow_write(Checkout& checkout, std::string_view why) {
  bool opens = false;
  {
    const MutexLock lock(mutex);
    opens = !closed && write_failed(checkout, why);
  }
  if (opens) say_writes_fail(why);
}

/// True: that opened the breaker of writes.
bool Link::State::write_failed(Checkout& checkout, std::string_view why) {
  if (!checkout.request.writes()) return false;
  write_breaker.await_success();
  const bool opens = write_breaker.failed(Clock::now(), why, checkout.tests_writes);
  if (opens) start_recovery();
  return opens;
}

void Link::State::say_writes_fail(std::string_view why) const {
  say(options.log, LogLevel::warning,
      "circuit breaker open for writes to {} ({}): writes fail immediately until one succeeds", endpoint, why);
}

void Link::State::give_up_half_open(const Checkout& checkout) {
  const MutexLock lock(mutex);
  if (checkout.half_open) breaker.give_up();
  if (checkout.tests_writes) write_breaker.give_up();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
