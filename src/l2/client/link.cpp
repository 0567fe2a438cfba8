#include "l2/client/link.hpp"

#include <algorithm>
#include <optional>

#include "base/time_budget.hpp"
#include "l2/client/echo_check.hpp"
#include "l2/client/link_judge.hpp"
#include "l2/client/link_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// Runs the request once, and checks that the replies are its own. What came of it is in `answer`; true: a byte of the
/// request was sent.
bool run_once(Connection& connection, const Request& request, bool verified, TimePoint deadline, Answer& answer) {
  std::optional<EchoCheck> check;
  if (verified) check.emplace(connection.echo_way().by());
  PendingRequest pending(request.commands() + (check ? check->request().commands() : 0));
  connection.run(pending, {request.bytes(), check ? check->request().bytes() : std::string_view()}, deadline);
  return take_replies(connection, request, check, pending, answer);
}

}  // namespace

Link::Link(LinkOptions options) : options_(std::move(options)), state_(new State(options_)) {}

Link::~Link() {
  State* const own = state_.load();
  if (own->forks != fork_count()) return;  // the parent's: see below
  own->close();
  delete own;
}

Link::State& Link::state() {
  State* own = state_.load(std::memory_order_acquire);
  if (own->forks == fork_count()) [[likely]]
    return *own;
  // The parent's state is left as it is, for ever: nothing of it may be touched here, its locks included.
  auto fresh = std::make_unique<State>(options_);
  if (state_.compare_exchange_strong(own, fresh.get())) return *fresh.release();
  return *own;
}

bool Link::up() const {
  State& own = *state_.load(std::memory_order_acquire);
  if (own.forks != fork_count()) return true;  // not tried yet
  const MutexLock lock(own.mutex);
  return !own.breaker.refuses();
}

bool Link::takes_writes() const {
  State& own = *state_.load(std::memory_order_acquire);
  if (own.forks != fork_count()) return true;
  const MutexLock lock(own.mutex);
  return own.write_breaker.phase() == Breaker::Phase::closed;
}

bool Link::refuses_writes() const {
  State& own = *state_.load(std::memory_order_acquire);
  if (own.forks != fork_count()) return false;
  const MutexLock lock(own.mutex);
  return own.write_breaker.refuses();
}

LinkCounters Link::counters() const {
  State& own = *state_.load(std::memory_order_acquire);
  LinkCounters counters{.attempts = own.attempts_made.load(std::memory_order_relaxed),
                        .server_changes = own.server_changes.load(std::memory_order_relaxed),
                        .breaker_changes = own.breaker_changes.load(std::memory_order_relaxed),
                        .made = own.connections_made.load(std::memory_order_relaxed)};
  if (own.forks != fork_count()) return counters;
  const MutexLock lock(own.mutex);
  const auto is_open = [](const State::Slot& slot) { return slot.connection && slot.connection->usable(); };
  counters.open_large = static_cast<std::uint64_t>(std::ranges::count_if(own.large_slots, is_open));
  counters.open = counters.open_large + static_cast<std::uint64_t>(std::ranges::count_if(own.slots, is_open));
  return counters;
}

ServerPlace Link::server() const {
  State& own = *state_.load(std::memory_order_acquire);
  if (!options_.finder || own.forks != fork_count()) return {.address = options_.address};
  const MutexLock lock(own.mutex);
  return own.server;
}

Address Link::looked_at() const {
  State& own = *state_.load(std::memory_order_acquire);
  if (own.forks != fork_count()) return {};
  const MutexLock lock(own.mutex);
  return own.looked_at;
}

void Link::server_moved(std::string_view why) { state().server_moved(why); }

Answer Link::run(const Request& request, Purpose purpose, Lane lane) {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads++;
  const TimePoint deadline = std::min(by(options_.operation_timeout), TimeBudget::end());
  State& own = state();

  Answer answer;
  // A request that gets no reply in time may end the connection for all that use it.
  const Duration least = options_.operation_timeout / 8;
  if (deadline - Clock::now() < least) {
    answer.fault = Fault::timeout;
    answer.why = own.why_no_time_is_left();
    return answer;
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    State::Checkout checkout(own, request);
    own.check_out(checkout, lane, mine % options_.connections, deadline);
    if (!checkout.connection) {
      if (attempt == 0) {
        answer.fault = Fault::no_connection;
        answer.why = checkout.why;
      }
      return answer;
    }
    const bool sent = run_once(*checkout.connection, request, purpose != Purpose::read, deadline, answer);
    if (answer) {
      own.record(checkout, answer.replies);
      return answer;
    }
    own.record(checkout, answer);
    if (!own.may_repeat(checkout, purpose, sent, answer) || deadline - Clock::now() < least) return answer;
  }
  return answer;
}

Link::Probed Link::probe(const Request& request) { return state().probe(request); }

EchoWay& Link::echo_way() { return *state().echo_way; }

void Link::close_idle() { state().close_idle(); }

void Link::close() noexcept { state().close(); }

void Link::close_as_corrupt(std::string_view why) {
  State& own = state();
  const MutexLock lock(own.mutex);
  for (auto* const all : {&own.slots, &own.large_slots}) {
    for (auto& slot : *all) {
      if (slot.connection) slot.connection->close_as_corrupt(why);
    }
  }
}

// --- for users to whom it matters which connection it is

std::shared_ptr<Connection> Link::current() {
  State& own = state();
  const MutexLock lock(own.mutex);
  const auto& first = own.slots[0].connection;
  return first && first->usable() ? first : nullptr;
}

void Link::connect_in_background() { state().connect_in_background(); }

std::shared_ptr<LinkWatch> Link::watch() {
  State& own = state();
  const MutexLock lock(own.mutex);
  if (!own.watch) {
    own.watch = std::make_shared<LinkWatch>();
    for (auto& slot : own.slots) {
      if (slot.connection) slot.connection->report_to(own.watch);
    }
  }
  return own.watch;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
