/// Making connections: when a request wants one, beforehand, and by itself after the server was away.
#include <algorithm>
#include <random>
#include <system_error>

#include "base/random_word.hpp"
#include "base/thread.hpp"
#include "l2/client/link_state.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// For an attempt that did not even come to an answer.
std::string_view out_of_reach(std::string_view error) {
  return keep_reason(fmt::format("the server is out of reach ({})", error));
}

}  // namespace

/// One that is replaced ends, so that whoever watches it knows: he may hold on to it.
void Link::State::install(Slot& slot, std::shared_ptr<Line> made) {
  made->report_to(watch);
  if (const auto replaced = std::exchange(slot.line, std::move(made))) replaced->condemn("it was replaced");
  if (watch) watch->made();
}

void Link::State::note_trouble(std::string_view refusal, std::string_view error) noexcept {
  try {
    const std::string_view kept = refusal.empty() ? out_of_reach(error) : refusal;
    const std::lock_guard lock(mutex);
    trouble = kept;
  } catch (const std::exception&) {  // no memory: what was said before stands
  }
}

std::shared_ptr<Link::State::Line> Link::State::make(TimePoint deadline) noexcept {
  std::string error;
  std::string_view refusal;
  std::shared_ptr<Line> made;
  try {
    auto stream = options.connect ? options.connect(options.address, deadline, error)
                                  : connect_plain(options.address, deadline, error);
    if (stream) {
      made = std::make_shared<Line>(std::move(stream), options.limits);
      if (!log_in(*made, deadline, error, refusal)) made.reset();
    }
  } catch (const std::system_error&) {
    made.reset();
    error = "no descriptor";
  } catch (const std::exception&) {
    made.reset();
    error = "no memory";
  }
  if (made) return made;
  say(options.log, LogLevel::warning, "no connection to {}: {}", place(options.address),
      refusal.empty() ? error : refusal);
  note_trouble(refusal, error);
  return made;
}

bool Link::State::log_in(Connection& connection, TimePoint deadline, std::string& error, std::string_view& refusal) {
  Request hello = greeting(options);
  hello.add({"PING"});
  PendingRequest exchange(hello.commands());
  connection.run(exchange, hello.bytes(), deadline);
  if (exchange.fault != Fault::none) {
    error = connection.why();
    return false;
  }
  for (const Reply& reply : exchange.replies) {
    // MISCONF: it cannot save and takes no writes, but reads go on.
    if (!reply.is(Reply::Kind::error) || reply.error_code() == "MISCONF") continue;
    name_errors(hello, exchange.replies);
    refusal = reply.why;
    return false;
  }
  return true;
}

void Link::State::prepare() {
  const std::lock_guard lock(mutex);
  Slot& first = slots[0];
  const TimePoint now = Clock::now();
  if (closed || recovering || breaker.refuses() || first.connecting || (first.line && first.line->usable()) ||
      now < attempts.next()) {
    return;
  }
  if (preparation.joinable()) preparation.join();  // it has ended: nobody is connecting
  preparation = start_thread("dsta-connect", [this, now] {
    auto made = make(by(options.connect_timeout));
    const std::lock_guard relock(mutex);
    slots[0].connecting = false;
    if (made && !closed) {
      install(slots[0], std::move(made));
      patience.connected_in(Clock::now() - now);
    } else {
      go_down(true);
    }
    changed.notify_all();
  });
  if (!preparation.joinable()) return;  // asked for again
  note_attempt(now);
  first.connecting = true;
  first.line.reset();
}

// --- while the server is away

void Link::State::note_attempt(TimePoint now) {
  attempts.note(now);
  attempts_made.fetch_add(1, std::memory_order_relaxed);
  uneasy.store(true, std::memory_order_relaxed);
}

void Link::State::go_down(bool probe_is_proof) {
  if (closed) return;
  if (breaker.open(probe_is_proof)) breaker_changes.fetch_add(1, std::memory_order_relaxed);
  start_recovery();
}

/// False: no thread is to be had. Then the next request that is refused tries again, and connects itself if need be.
bool Link::State::start_recovery() {
  if (recovering || closed) return true;
  if (recovery.joinable()) recovery.join();  // it ended when the server came back last time
  recovery = start_thread("dsta-recover", [this] { recover(); });
  recovering = recovery.joinable();
  return recovering;
}

/// As seldom as the thread would.
bool Link::State::may_recover_here(TimePoint now) const {
  constexpr std::chrono::milliseconds kPause{500};
  return !closed && !recovering_here && now >= std::max(saturating_add(attempts.last(), kPause), attempts.next());
}

void Link::State::recover() noexcept {
  std::minstd_rand random(static_cast<std::uint32_t>(random_word()));
  std::unique_lock lock(mutex);
  while (!closed) {
    const TimePoint next = std::max(saturating_add(attempts.last(), pauses.next(random)), attempts.next());
    if (changed.wait_until(lock, next, [&] { return closed; })) return;
    if (try_recovery(lock, saturating_add(Clock::now(), patience.next(options.connect_timeout)))) break;
  }
  recovering = false;
}

bool Link::State::try_recovery(std::unique_lock<std::mutex>& lock, TimePoint end) {
  const TimePoint begun = Clock::now();
  note_attempt(begun);
  lock.unlock();
  auto made = make(end);
  if (made) say(options.log, LogLevel::info, "reconnected to {}", place(options.address));
  lock.lock();
  if (!made || closed) return false;
  patience.connected_in(Clock::now() - begun);
  install(slots[0], std::move(made));
  if (breaker.probed()) {
    breaker_changes.fetch_add(1, std::memory_order_relaxed);
    pauses.reset();
  }
  changed.notify_all();
  return true;
}

void Link::State::close() {
  std::thread ending, preparing;
  {
    const std::lock_guard lock(mutex);
    closed = true;
    ending.swap(recovery);
    preparing.swap(preparation);
    for (auto& slot : slots) {
      if (slot.line) slot.line->condemn("the cache was closed");
    }
    changed.notify_all();
  }
  if (ending.joinable()) ending.join();
  if (preparing.joinable()) preparing.join();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
