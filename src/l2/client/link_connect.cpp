/// Making connections: for a request, beforehand, and by itself after the server was away.
#include <algorithm>
#include <random>
#include <system_error>

#include "base/random_word.hpp"
#include "base/thread.hpp"
#include "base/time_budget.hpp"
#include "l2/client/handshake.hpp"
#include "l2/client/link_state.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// Why an attempt failed, as a kept reason. `refusal`, what the server said, is one; without it the attempt did not
/// even come to an answer.
std::string_view reason_for(std::string_view refusal, std::string_view error) {
  return refusal.empty() ? keep_reason(fmt::format("the server is out of reach ({})", error)) : refusal;
}

}  // namespace

std::shared_ptr<Link::State::Pooled> Link::State::connect(TimePoint deadline) noexcept {
  std::string error;
  std::string_view refusal;
  try {
    auto made = options.finder ? find_and_connect(deadline, error, refusal)
                               : connect_to(options.address, deadline, error, refusal);
    if (made) return made;
  } catch (const std::system_error&) {
    error = "no descriptor";
  } catch (const std::exception&) {
    error = "no memory";
  }
  {
    const MutexLock lock(mutex);
    if (closed) return nullptr;  // which is why
  }
  say(options.log, LogLevel::warning, "no connection to {}: {}", endpoint, refusal.empty() ? error : refusal);
  try {
    const std::string_view reason = reason_for(refusal, error);
    const MutexLock lock(mutex);
    breaker.set_why(reason);
  } catch (const std::exception&) {  // no memory: what was said before stands
  }
  return nullptr;
}

/// Null, and why.
std::shared_ptr<Link::State::Pooled> Link::State::connect_to(const Address& address, TimePoint deadline,
                                                             std::string& error, std::string_view& refusal) {
  std::string run;
  auto made = open(address, deadline, error, refusal, run);
  if (made && options.finder) note_server(*made, address, std::move(run));
  return made;
}

/// A connection that is logged in, of which nothing is noted yet; `run` is its server's history. Null, and why.
std::shared_ptr<Link::State::Pooled> Link::State::open(const Address& address, TimePoint deadline, std::string& error,
                                                       std::string_view& refusal, std::string& run) const {
  auto stream = connect_stream(options, address, deadline, error);
  if (!stream) return nullptr;
  auto made = std::make_shared<Pooled>(std::move(stream), options.limits);
  made->share(std::make_shared<EchoWay>(echo_way));
  return run_handshake(*made, options, deadline, error, refusal, run) ? made : nullptr;
}

/// One that is replaced ends, so that its users, who may hold on to it, know. False: meanwhile another server was
/// found.
bool Link::State::install(Slot& slot, const std::shared_ptr<Pooled>& made) {
  if (made->server != server.number) return false;
  if (std::exchange(installed_server, made->server) != made->server && write_breaker.is_open()) {
    write_breaker.probe_succeeded();  // it was the former server that took no writes
  }
  connections_made.fetch_add(1, std::memory_order_relaxed);
  made->report_to(watch);
  if (const auto replaced = std::exchange(slot.connection, made)) {
    replaced->close_as_corrupt("it was replaced");
  }
  if (watch) watch->made();
  return true;
}

void Link::State::connect_in_background() {
  const MutexLock lock(mutex);
  Slot& first = slots[0];
  const TimePoint now = Clock::now();
  if (closed || breaker.refuses() || first.connecting || (first.connection && first.connection->usable()) ||
      now < attempts.next()) {
    return;
  }
  if (background_connect.joinable()) background_connect.join();  // it has ended: no thread is connecting
  background_connect = start_thread("dsta-connect", [this, now] {
    auto made = connect(by(options.connect_timeout));
    const MutexLock relock(mutex);
    slots[0].connecting = false;
    if (made && !closed && install(slots[0], made)) {
      patience.connected_in(Clock::now() - now);
    } else {
      go_down(true);
    }
    changed.notify_all();
  });
  if (!background_connect.joinable()) return;  // asked for again
  note_attempt(now);
  first.connecting = true;
  first.connection.reset();
}

// --- while the server is away

void Link::State::note_attempt(TimePoint now) {
  attempts.note(now);
  attempts_made.fetch_add(1, std::memory_order_relaxed);
  breaker.await_success();
}

void Link::State::go_down(bool probe_closes) {
  if (closed) return;
  breaker.open(probe_closes);
  start_recovery();
}

void Link::State::move_to(Recovery to) {
  assert(is_transition(recovery, to));
  recovery = to;
}

/// False: no thread is to be had. Then the next request that is refused tries again, and connects itself if need be.
bool Link::State::start_recovery() {
  if (recovery == Recovery::by_thread || closed) return true;
  if (recovery_thread.joinable()) recovery_thread.join();  // it ended when the server came back last time
  recovery_thread = start_thread("dsta-recover", [this] { recover(); });
  if (!recovery_thread.joinable()) return false;
  move_to(Recovery::by_thread);
  return true;
}

/// No thread is to be had: a caller makes the attempt, as seldom as the thread would.
void Link::State::recover_on_caller(TimePoint deadline) {
  constexpr std::chrono::milliseconds kPause{500};
  if (closed || recovery != Recovery::none) return;
  if (Clock::now() < std::max(saturating_add(last_recovery, kPause), attempts.next())) return;
  move_to(Recovery::by_caller);
  try_recovery(std::min(deadline, by(options.connect_timeout)));
  if (recovery == Recovery::by_caller) move_to(Recovery::none);
}

void Link::State::recover() noexcept {
  std::minstd_rand random(static_cast<std::uint32_t>(random_word()));
  MutexLock lock(mutex);
  while (!closed) {
    const TimePoint last = std::max(attempts.last(), last_recovery);
    const TimePoint next = std::max(saturating_add(last, pauses.next(random)), attempts.next());
    while (!closed && !hurries && Clock::now() < next) changed.wait_until(lock.native(), next);
    hurries = false;
    if (closed || try_recovery(saturating_add(Clock::now(), patience.next(options.connect_timeout)))) break;
  }
  move_to(Recovery::none);
}

/// True: no breaker is open any more.
bool Link::State::try_recovery(TimePoint end) {
  last_recovery = Clock::now();
  try {
    breaker.is_open() ? try_connection(end) : try_write(end);
  } catch (const std::exception&) {  // no memory: the next attempt is as good
  }
  return !breaker.is_open() && !write_breaker.is_open();
}

void Link::State::try_connection(TimePoint end) {
  const TimePoint begun = Clock::now();
  note_attempt(begun);
  std::shared_ptr<Pooled> made;
  {
    const MutexUnlock unlocked(mutex);
    made = connect(end);
    if (made) say(options.log, LogLevel::info, "reconnected to {}", endpoint);
  }
  if (!made || closed || !install(slots[0], made)) return;
  patience.connected_in(Clock::now() - begun);
  if (breaker.probe_succeeded()) pauses.reset();
  changed.notify_all();
}

/// On a connection of its own: where a write has to wait, all that comes behind it on its connection waits, too.
void Link::State::try_write(TimePoint end) {
  note_attempt(Clock::now());
  const Request probe{"UNLINK", options.probe_key};
  PendingRequest pending(probe.commands());
  std::shared_ptr<Pooled> made;
  {
    const MutexUnlock unlocked(mutex);
    made = connect(end);
  }
  if (closed) return;
  if (made) {
    write_test = made;  // so that close() need not wait for it
    {
      const MutexUnlock unlocked(mutex);
      made->run(pending, probe.bytes(), end);
    }
    write_test.reset();
    last_recovery = Clock::now();  // it may have taken all its time: a caller that made it must not make the next one
    if (closed || pending.fault != Fault::none || pending.replies[0].means_not_now()) return;
  }
  // Without a connection to be had (the server's maxclients) the next write is the probe.
  write_breaker.probe_succeeded();
}

/// What becomes of `request` on a connection of its own, so that no other request ends with it.
Link::Probed Link::State::probe(const Request& request) {
  const TimePoint end = std::min(by(options.operation_timeout), TimeBudget::end());
  {
    const MutexLock lock(mutex);
    if (closed || breaker.is_open()) return Probed::unknown;
  }
  const auto made = connect(end);
  if (!made) return Probed::unknown;
  // It serves, so that it ends the connection over what comes next.
  const Request first{"GET", options.probe_key};
  PendingRequest before(first.commands()), pending(request.commands());
  made->run(before, first.bytes(), end);
  if (before.fault != Fault::none || before.replies[0].means_not_now()) return Probed::unknown;
  made->run(pending, request.bytes(), end);
  if (pending.fault == Fault::none) return Probed::answered;
  return pending.fault == Fault::lost && pending.sent ? Probed::ended : Probed::unknown;
}

void Link::State::close() {
  std::thread recovering, connecting;
  {
    const MutexLock lock(mutex);
    closed = true;
    recovering.swap(recovery_thread);
    connecting.swap(background_connect);
    end_connections("the cache was closed");
    interrupt_attempts();
    changed.notify_all();
  }
  if (recovering.joinable()) recovering.join();
  if (connecting.joinable()) connecting.join();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
