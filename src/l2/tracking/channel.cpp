#include "l2/tracking/channel.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/fork_count.hpp"
#include "base/nonce.hpp"
#include "base/random_word.hpp"
#include "base/saturating_add.hpp"
#include "base/thread.hpp"
#include "l2/client/connection.hpp"
#include "l2/tracking/blocking_worker.hpp"
#include "l2/tracking/subscriber.hpp"
#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// Between attempts: at random, so that a fleet does not come back as one, and never more than two a second.
constexpr std::chrono::milliseconds kLeastPause{600}, kMostPause{1400};
constexpr std::chrono::milliseconds kAfterFailure{10};
/// How often the data connection is asked for a sign of life at most, where the server ends idle ones.
constexpr std::chrono::seconds kOftenest{1};
/// Causes of failure that are remembered so as to be logged once.
constexpr std::size_t kCauses = 16;
/// Ping periods for which a large value under way may stand for an answer.
constexpr int kMostUnconfirmed = 8;
constexpr std::string_view kNoThread = "there is no thread to be had for it";

/// What is asked of the errands' thread, and what came of it. It may outlive the channel: it owns all that it uses.
struct Errand {
  enum class Kind { open, prove, arm, check };
  Kind kind;
  TimePoint begun = Clock::now();
  std::int64_t channel = 0;
  // Of `open`.
  std::unique_ptr<Subscriber> opened = nullptr;
  std::string error = "there is no thread or no memory for it";
  bool refused = false;
  // Of the others.
  std::shared_ptr<Connection> connection = nullptr;
  std::uint64_t moved = 0;  ///< by the connection before
  Answer answer = {.fault = Fault::lost, .maybe_executed = true};
};

}  // namespace

struct Channel::State {
  State(ChannelOptions given, Link& link, ChannelListener& told)
      : options(std::move(given)), data(link), listener(told), watch(link.watch()), errands(watch) {}

  const ChannelOptions options;
  Duration check_every = options.ping_period;  ///< the thread's own
  Link& data;
  ChannelListener& listener;
  const std::shared_ptr<LinkWatch> watch;
  std::atomic<bool> stopping{false};
  /// While coherent 1 + what watch->ends was when the pairing began, else 0.
  std::atomic<std::uint64_t> coherent_at{0};
  std::atomic<TimePoint> known_good{TimePoint{}};

  // The thread's own.
  BlockingWorker errands;
  std::shared_ptr<Errand> errand;
  std::unique_ptr<Subscriber> subscriber;
  std::shared_ptr<Connection> paired;  ///< the connection that is registered, or is being
  std::uint64_t ends = 0;              ///< watch->ends before it was looked for
  TrackingRegistration pairing;
  std::string probe;
  bool proving = false;  ///< the probe was written and is waited for
  bool probe_heard = false;
  TimePoint proved_from{};  ///< when the proof under way began
  TimePoint ping_sent{}, heard_from{}, confirmed_from{};
  std::uint64_t pings = 0;
  bool pong_due = false;
  bool more = false;        ///< of what was told may have come already
  bool untold = false;      ///< coherence ended, and the listener does not know
  std::uint64_t moved = 0;  ///< by the data connection when it was looked at last
  TimePoint next_ping{}, next_opening{}, next_pairing{}, next_preparing{}, next_check{}, probe_deadline{};
  std::set<std::string> complaints;
  std::minstd_rand random{static_cast<std::uint32_t>(random_word())};
  std::vector<Reply> messages;
  std::vector<std::string_view> keys;
  std::thread thread;

  bool coherent() const {
    const std::uint64_t at = coherent_at.load(std::memory_order_acquire);
    return at != 0 && at == 1 + watch->ends.load(std::memory_order_acquire);
  }
  bool told_coherent() const { return coherent_at.load(std::memory_order_relaxed) != 0; }

  void run();
  void step();
  void listen();
  void hear(const Reply& message);
  void hear_keys(const Reply& message);
  void note_proof();
  void finish_errand();
  void finish_opening(Errand& done);
  void finish_pairing(Errand& done);
  void watch_data();
  void keep_alive();
  bool shows_life(std::uint64_t before) const;
  void advance();
  void wait();
  void start(Errand::Kind kind, Request request = {});
  void become_coherent();
  void suspect(std::string_view why);
  void tell_suspect(std::string_view why);
  void lose_channel(std::string_view why);
  void fail_pairing(LogLevel level, const std::string& cause);
  void complain(LogLevel level, const std::string& cause);
  void say(LogLevel level, std::string message);
  Duration pause();
  Duration patience() const { return std::max(options.ping_period, data.options().operation_timeout); }
};

Channel::Channel(ChannelOptions options, Link& data, ChannelListener& listener)
    : state_(nullptr), forks_(fork_count()) {
  auto made = std::make_unique<State>(std::move(options), data, listener);
  made->thread = start_thread("dsta-channel", [state = made.get()] { state->run(); });
  if (!made->thread.joinable()) throw std::system_error(EAGAIN, std::generic_category(), "thread");
  state_ = made.release();
}

void Channel::stop() noexcept {
  if (!here()) return;  // the parent's: its thread and its locks are not here
  state_->stopping = true;
  state_->watch->wake.ring();
  if (state_->thread.joinable()) state_->thread.join();
  state_->coherent_at = 0;
  state_->errands.end();
}

void Channel::join() noexcept {
  if (here()) state_->errands.join();
}

Channel::~Channel() {
  stop();
  if (here()) delete state_;
}

bool Channel::here() const { return forks_ == fork_count(); }
bool Channel::coherent() const { return here() && state_->coherent(); }
TimePoint Channel::last_known_good() const { return here() ? state_->known_good.load() : TimePoint{}; }

void Channel::State::run() {
  while (!stopping) {
    try {
      step();
    } catch (const std::exception&) {  // no memory: what could not be heard is as good as lost
      subscriber.reset();
      paired = nullptr;
      proving = pong_due = false;
      if (coherent_at.exchange(0) != 0) untold = true;
      std::this_thread::sleep_for(kAfterFailure);
    }
  }
}

void Channel::State::step() {
  if (untold) tell_suspect("there was no memory for it");
  watch->wake.clear();
  if (subscriber) listen();
  watch_data();
  if (errand && errands.idle()) finish_errand();
  keep_alive();
  advance();
  wait();
}

void Channel::State::wait() {
  const TimePoint now = Clock::now();
  TimePoint next = now + options.ping_period;
  if (subscriber) next = std::min(next, next_ping);
  if (told_coherent()) next = std::min(next, next_check);
  if (proving) next = std::min(next, probe_deadline);
  if (!told_coherent() && !errand) {
    for (const TimePoint each : {next_opening, next_pairing, next_preparing}) {
      if (each > now) next = std::min(next, each);
    }
  }
  if (subscriber && more) next = now;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(Duration::zero(), next - now));
  // Of the data connection only its end is of interest here: its replies are for others.
  pollfd wanted[] = {{.fd = watch->wake.descriptor(), .events = POLLIN, .revents = 0},
                     {.fd = subscriber ? subscriber->descriptor() : -1,
                      .events = subscriber ? subscriber->events() : short{0},
                      .revents = 0},
                     {.fd = told_coherent() ? paired->descriptor() : -1, .events = POLLRDHUP, .revents = 0}};
  if (::poll(wanted, std::size(wanted), static_cast<int>(left.count())) <= 0) return;
  if (wanted[2].revents == 0) return;
  // It may be one that ends what is idle for longer than its `timeout`: then it is to be asked more often.
  check_every = std::min(check_every, std::max<Duration>(kOftenest, check_every / 2));
  suspect("the server closed the data connection");
}

// --- what is told

/// A part of what has come, so that a flood keeps nothing from being looked after.
void Channel::State::listen() {
  messages.clear();
  const bool open = subscriber->receive(messages, more);
  for (const Reply& message : messages) hear(message);
  messages.clear();
  if (!open) lose_channel(fmt::format("the channel was lost: {}", subscriber->why()));
}

void Channel::State::hear(const Reply& message) {
  const auto& parts = message.elements;
  // A server that refuses writes refuses PING (MISCONF); nothing else is asked here.
  const bool refused = message.is(Reply::Kind::error);
  if (refused || (parts.size() == 2 && parts[0].text == "pong")) {
    if (!pong_due || (!refused && parts[1].text != std::to_string(pings))) return;
    pong_due = false;
    heard_from = ping_sent;
    note_proof();
  } else if (parts.size() == 3 && parts[0].text == "message" && parts[1].text == kInvalidations) {
    // Text is what a stranger has published there.
    if (parts[2].is(Reply::Kind::nil)) listener.on_flush();
    if (parts[2].is(Reply::Kind::array)) hear_keys(parts[2]);
  }
}

void Channel::State::hear_keys(const Reply& message) {
  const std::string probes = pairing.probe_prefix();
  keys.clear();
  for (const Reply& key : message.elements) {
    if (!key.text.starts_with(probes)) {
      keys.push_back(key.text);
    } else if (key.text == probe) {
      probe_heard = true;
    }
  }
  if (!keys.empty()) listener.on_keys(keys);
}

/// All was told up to the earlier of the two last signs of life.
void Channel::State::note_proof() {
  if (!told_coherent()) return;
  known_good = std::max(known_good.load(), std::min(heard_from, confirmed_from));
  listener.on_proof(known_good);
}

// --- signs of life

void Channel::State::watch_data() {
  if (paired && watch->ends != ends) {
    proving = false;
    if (told_coherent()) return suspect("the data connection was lost");
    paired = nullptr;
  }
}

void Channel::State::keep_alive() {
  const TimePoint now = Clock::now();
  if (subscriber && now >= next_ping) {
    if (pong_due) return lose_channel("the channel did not answer in time");
    pong_due = true;
    ping_sent = now;
    subscriber->send(Request{"PING", std::to_string(++pings)}.bytes());
    next_ping = now + options.ping_period;
    listen();  // which sends it
  }
  if (!told_coherent() || now < next_check) return;
  if (!errand) {
    moved = paired->moved();
    start(Errand::Kind::check, pairing.check());
    next_check = now + check_every;
  } else if (now - errand->begun < options.ping_period) {
    next_check = errand->begun + options.ping_period;
  } else if (shows_life(moved)) {
    moved = paired->moved();
    next_check = now + options.ping_period;
  } else {
    suspect("the data connection did not answer in time");
  }
}

/// The answer stands behind a large value that is on its way: bytes of that are a sign of life as good as any, but they
/// do not say that the registration stands, so not for ever.
bool Channel::State::shows_life(std::uint64_t before) const {
  return paired->usable() && paired->moved() - before >= Connection::kProgress &&
         Clock::now() - confirmed_from < kMostUnconfirmed * options.ping_period;
}

// --- errands

void Channel::State::start(Errand::Kind kind, Request request) {
  errand = std::make_shared<Errand>(
      Errand{.kind = kind, .channel = pairing.channel, .connection = paired, .moved = paired ? paired->moved() : 0});
  const TimePoint deadline =
      saturating_add(Clock::now(), kind == Errand::Kind::open ? data.options().connect_timeout : patience());
  bool begun = false;
  if (kind == Errand::Kind::open) {
    begun = errands.run([mine = errand, deadline, link = data.options()] {
      mine->opened = Subscriber::open(link, kInvalidations, deadline, mine->error, mine->refused);
    });
  } else {
    begun = errands.run([mine = errand, deadline, asked = std::move(request)] {
      mine->answer = run_on(*mine->connection, asked, deadline);
    });
  }
  if (begun) return;
  errand = nullptr;
  if (told_coherent()) return suspect(kNoThread);
  fail_pairing(LogLevel::warning, std::string(kNoThread));
}

void Channel::State::finish_errand() {
  const auto done = std::exchange(errand, nullptr);
  if (done->kind == Errand::Kind::open) return finish_opening(*done);
  // Found dead before anything was sent: that was no attempt, the next connection is another.
  if (done->answer.fault == Fault::lost && !done->answer.maybe_executed) next_pairing = {};
  // Of another pairing than the one there is now: what came of it does not matter any more.
  if (!subscriber || done->channel != pairing.channel || done->connection != paired) return;
  finish_pairing(*done);
}

void Channel::State::finish_opening(Errand& done) {
  if (!done.opened) {
    complain(done.refused ? LogLevel::error : LogLevel::warning, done.error);
    return;
  }
  subscriber = std::move(done.opened);
  pairing = {.prefix = options.prefix, .channel = subscriber->id()};
  pong_due = false;
  next_ping = Clock::now();
  next_pairing = {};
}

void Channel::State::finish_pairing(Errand& done) {
  if (done.answer.fault != Fault::none) {
    if (done.kind == Errand::Kind::check && done.answer.fault == Fault::timeout && shows_life(done.moved)) {
      next_check = Clock::now();  // asked once more
      return;
    }
    if (told_coherent()) return suspect("the data connection was lost");
    return fail_pairing(LogLevel::warning, "the data connection did not answer");
  }
  if (done.kind == Errand::Kind::prove) pairing.learn_from(done.answer);
  const std::string refusal = refusal_in(done.answer);
  switch (done.kind) {
    case Errand::Kind::open:
      break;
    case Errand::Kind::prove:
      if (!refusal.empty()) return fail_pairing(LogLevel::error, refusal);
      proving = true;
      probe_deadline = Clock::now() + options.ping_period;
      break;
    case Errand::Kind::arm:
      if (!refusal.empty()) return fail_pairing(LogLevel::error, refusal);
      become_coherent();
      break;
    case Errand::Kind::check:
      if (done.answer.replies[0].means_not_now()) break;  // and so no sign of anything
      if (!pairing.confirmed_by(done.answer.replies[0])) return suspect("the server has forgotten the registration");
      confirmed_from = done.begun;
      note_proof();
  }
}

// --- towards coherence

void Channel::State::advance() {
  const TimePoint now = Clock::now();
  if (told_coherent() || errand) return;
  if (proving) {
    if (probe_heard) {
      proving = false;
      start(Errand::Kind::arm, pairing.arm());
    } else if (now >= probe_deadline) {
      fail_pairing(LogLevel::error, "the server did not announce a test key on the channel");
    }
    return;
  }
  if (now < (subscriber ? next_pairing : next_opening)) return;
  ends = watch->ends;  // before: an end in between must be seen
  auto connection = data.current();
  if (!connection) {
    // While the server is away the link alone tries it, so that there are no more attempts than one may make.
    if (now >= next_preparing) {
      next_preparing = now + pause();
      data.prepare();
    }
    return;
  }
  if (!subscriber) {
    next_opening = now + pause();
    return start(Errand::Kind::open);
  }
  next_pairing = now + pause();
  paired = std::move(connection);
  probe = pairing.probe_prefix() + new_nonce();
  probe_heard = false;
  proved_from = now;
  start(Errand::Kind::prove, pairing.prove(probe));
}

void Channel::State::become_coherent() {
  const TimePoint now = Clock::now();
  heard_from = confirmed_from = proved_from;
  next_check = now + check_every;
  listener.before_coherent();
  coherent_at.store(1 + ends, std::memory_order_release);
  known_good = std::max(known_good.load(), proved_from);
  if (!complaints.empty()) {
    say(LogLevel::info, fmt::format("the invalidation channel to {} is up again", place(data.options().address)));
  }
  complaints.clear();
  listener.on_coherent(known_good);
}

/// The connections stay as they are; what is wrong with them shows when they are paired again.
void Channel::State::suspect(std::string_view why) {
  paired = nullptr;
  proving = false;
  if (coherent_at.exchange(0) == 0) return;
  untold = true;
  tell_suspect(why);
}

void Channel::State::tell_suspect(std::string_view why) {
  listener.on_suspect(why);
  untold = false;
}

void Channel::State::lose_channel(std::string_view why) {
  subscriber.reset();
  pong_due = false;
  suspect(why);
}

void Channel::State::fail_pairing(LogLevel level, const std::string& cause) {
  paired = nullptr;
  proving = false;
  complain(level, cause);
}

void Channel::State::complain(LogLevel level, const std::string& cause) {
  if (complaints.size() >= kCauses || !complaints.insert(cause).second) return;
  say(level, fmt::format("no invalidation channel to {}: {}{}. Values are not kept in this process until there is "
                         "one; it is tried again about every second",
                         place(data.options().address), cause, remedy_for(cause)));
}

void Channel::State::say(LogLevel level, std::string message) {
  options.say ? options.say(level, std::move(message)) : data.options().log.write(level, message);
}

Duration Channel::State::pause() {
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(kLeastPause.count(), kMostPause.count())(random));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
