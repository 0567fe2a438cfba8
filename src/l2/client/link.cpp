#include "l2/client/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/time_budget.hpp"
#include "l2/client/echo_check.hpp"
#include "l2/client/link_state.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

std::string_view why_of(Fault fault, const Request& request, const Connection& connection) {
  const std::string_view command = request.command(0);
  return fault == Fault::timeout ? reason_of(command, "the server did not answer in time")
                                 : reason_of(command, connection.why());
}

}  // namespace

std::string place(const Address& address) {
  return address.host.empty() ? address.socket_path : fmt::format("{}:{}", address.host, address.port);
}

Request greeting(const LinkOptions& options) {
  Request hello;
  if (!options.user.empty()) {
    hello.add({"AUTH", options.user, options.password});
  } else if (!options.password.empty()) {
    hello.add({"AUTH", options.password});
  }
  if (options.database != 0) hello.add({"SELECT", std::to_string(options.database)});
  return hello;
}

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
  const std::lock_guard lock(own.mutex);
  return !own.breaker.refuses();
}

LinkCounters Link::counters() const {
  const State& own = *state_.load(std::memory_order_acquire);
  return {.attempts = own.attempts_made.load(std::memory_order_relaxed),
          .breaker_changes = own.breaker_changes.load(std::memory_order_relaxed)};
}

Answer Link::run(const Request& request, Purpose purpose) {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads++;
  const TimePoint deadline = std::min(by(options_.operation_timeout), TimeBudget::end());
  State& own = state();

  std::optional<EchoCheck> seal;
  if (purpose != Purpose::read) seal.emplace();

  Answer answer;
  // A request that gets no reply in time may end the connection for all who use it.
  const Duration least = options_.operation_timeout / 8;
  if (deadline - Clock::now() < least) {
    answer.fault = Fault::timeout;
    answer.why = own.why_not();
    return answer;
  }
  for (int attempt = 0; attempt < (options_.retry ? 2 : 1); ++attempt) {
    State::Way way(own);
    own.find(way, mine % options_.connections, deadline);
    if (!way.line) {
      if (attempt == 0) {
        answer.fault = Fault::no_connection;
        answer.why = way.why;
      }
      return answer;
    }
    PendingRequest exchange(request.commands() + (seal ? seal->request().commands() : 0));
    way.line->run(exchange, {request.bytes(), seal ? seal->request().bytes() : std::string_view()}, deadline);
    answer.fault = exchange.fault;
    answer.maybe_executed = answer.maybe_executed || exchange.sent;
    if (answer.fault == Fault::none && seal && !seal->confirms(exchange.replies)) {
      // Where the server refuses the ECHO itself, that is what to say; it may be the answer to something else, too.
      name_errors(seal->request(), exchange.replies, request.commands());
      answer.why = exchange.replies.back().why;
      if (answer.why.empty()) answer.why = "the server's answer was not to what was asked";
      way.line->condemn("replies were out of step");
      answer.fault = Fault::protocol;
    } else if (answer.fault != Fault::none) {
      answer.why = why_of(answer.fault, request, *way.line);
    }
    if (answer.fault == Fault::none) {
      answer.why = {};
      answer.replies = std::move(exchange.replies);
      answer.order = exchange.order;
      name_errors(request, answer.replies);
      own.judge(way, answer.replies);
      return answer;
    }
    own.judge(way, answer.fault, answer.why);
    if (purpose == Purpose::write && exchange.sent) return answer;
    if (deadline - Clock::now() < least) return answer;
  }
  return answer;
}

void Link::close() noexcept { state().close(); }

void Link::condemn(std::string_view why) {
  State& own = state();
  const std::lock_guard lock(own.mutex);
  for (auto& slot : own.slots) {
    if (slot.line) slot.line->condemn(why);
  }
}

// --- for those to whom it matters which connection it is

std::shared_ptr<Connection> Link::current() {
  State& own = state();
  const std::lock_guard lock(own.mutex);
  const auto& first = own.slots[0].line;
  return first && first->usable() ? first : nullptr;
}

void Link::prepare() { state().prepare(); }

std::shared_ptr<LinkWatch> Link::watch() {
  State& own = state();
  const std::lock_guard lock(own.mutex);
  if (!own.watch) {
    own.watch = std::make_shared<LinkWatch>();
    for (auto& slot : own.slots) {
      if (slot.line) slot.line->report_to(own.watch);
    }
  }
  return own.watch;
}

// --- what requests come to

void Link::State::judge(Way& way, const std::vector<Reply>& replies) {
  if (!way.line->served.load(std::memory_order_relaxed)) way.line->served.store(true, std::memory_order_relaxed);
  for (const Reply& reply : replies) {
    if (reply.means_not_now()) return failed(way, true, reply.why);
    if (reply.error_code() != "READONLY") continue;
    look_elsewhere(*way.line);
    break;
  }
  if (!uneasy.load(std::memory_order_relaxed)) return;
  bool closes = false;
  {
    const std::lock_guard lock(mutex);
    if (breaker.state() == Breaker::State::open) return;  // an answer from before
    closes = breaker.succeeded();
    way.trial = false;
    attempts.forget();
    pauses.reset();
    uneasy.store(false, std::memory_order_relaxed);
    if (closes) breaker_changes.fetch_add(1, std::memory_order_relaxed);
  }
  if (closes) say(options.log, LogLevel::info, "{} answers again", place(options.address));
}

/// Where the server has become a replica, its name or address may lead to another by now. Where it was none before, it
/// will do so as long as it lasts.
void Link::State::look_elsewhere(Line& line) {
  if (!line.usable() || Clock::now() - line.made < 10 * options.operation_timeout) return;
  say(options.log, LogLevel::warning, "{} is a replica and takes no writes: reconnecting", place(options.address));
  line.condemn("the server is a replica");
}

void Link::State::judge(Way& way, Fault fault, std::string_view why) {
  if (fault == Fault::timeout && !way.trial && way.line->usable()) return;  // the caller left; the connection works
  const bool slow = fault == Fault::timeout || way.line->was_slow();
  // A connection that worked may end, for one reply too large or because the server restarts.
  if (!slow && !way.trial && way.line->served.load(std::memory_order_relaxed)) return;
  failed(way, false, slow && fault == Fault::lost ? "the server did not answer in time" : why);
}

void Link::State::failed(Way& way, bool refused, std::string_view why) {
  bool opens = false;
  {
    const std::lock_guard lock(mutex);
    uneasy.store(true, std::memory_order_relaxed);
    if (closed) return;
    trouble = why;
    opens = refused ? breaker.refused(way.trial) : breaker.failed(Clock::now(), way.trial);
    way.trial = false;
    if (opens) {
      breaker_changes.fetch_add(1, std::memory_order_relaxed);
      start_recovery();
    }
  }
  if (opens) {
    say(options.log, LogLevel::warning, "circuit breaker open for {} ({}): requests fail at once until it answers",
        place(options.address), why);
  }
}

void Link::State::give_back() {
  const std::lock_guard lock(mutex);
  breaker.give_back();
}

/// When there is no time left: what has used it up, where that is known.
std::string_view Link::State::why_not() {
  if (!uneasy.load(std::memory_order_relaxed)) return "no time was left to ask the server";
  const std::lock_guard lock(mutex);
  return trouble;
}

// --- finding a way

void Link::State::find(Way& way, std::size_t index, TimePoint deadline) {
  // An attempt that is given next to no time would fail and tell nothing of the server.
  const Duration least = std::min(options.connect_timeout, options.operation_timeout) / 8;
  std::unique_lock lock(mutex);
  const auto none = [&] { way.why = closed ? std::string_view("the manager is closed") : trouble; };
  if (breaker.state() == Breaker::State::open && !start_recovery() && may_recover_here(Clock::now())) {
    recovering_here = true;
    try_recovery(lock, std::min(deadline, by(options.connect_timeout)));
    recovering_here = false;
  }
  way.trial = breaker.begin_trial();
  if (way.trial) index = 0;  // where the probe's connection is
  TimePoint now;
  for (;;) {
    if (breaker.holds_back() && !way.trial) {
      if (breaker.state() == Breaker::State::open) start_recovery();
      return none();
    }
    Slot& slot = slots[index];
    if (slot.line && slot.line->usable()) {
      way.line = slot.line;
      return;
    }
    if (closed) return none();
    if (breaker.state() == Breaker::State::open) {
      start_recovery();
      return none();
    }
    now = Clock::now();
    if (deadline - now < least) return none();
    if (!slot.connecting && now >= attempts.next()) break;
    if (!slot.connecting) {
      // Enough was tried for now. What another slot has will do; if none has anything, the server is as good as away.
      const auto other = std::find_if(slots.begin(), slots.end(), [](const Slot& each) {
        return each.connecting || (each.line && each.line->usable());
      });
      if (other == slots.end()) {
        go_down(false);
        return none();
      }
      index = static_cast<std::size_t>(other - slots.begin());
      continue;
    }
    changed.wait_until(lock, deadline - least);
  }
  note_attempt(now);
  slots[index].connecting = true;
  slots[index].line.reset();
  lock.unlock();
  auto made = make(std::min(deadline, by(options.connect_timeout)));
  lock.lock();
  slots[index].connecting = false;
  if (closed) {
    made.reset();
  } else if (made) {
    install(slots[index], made);
    patience.connected_in(Clock::now() - now);
  } else {
    way.trial = false;  // as it ends here
    go_down(true);
  }
  changed.notify_all();
  way.line = std::move(made);
  if (!way.line) none();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
