#include "l2/tracking/channel.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fork_count.hpp"
#include "base/nonce.hpp"
#include "base/saturating_add.hpp"
#include "base/thread.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/handshake.hpp"
#include "l2/tracking/channel_phase.hpp"
#include "l2/tracking/channel_worker.hpp"
#include "l2/tracking/failure_log.hpp"
#include "l2/tracking/invalidation_feed.hpp"
#include "l2/tracking/retry_times.hpp"
#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;
using Phase = ChannelPhase;
using Event = ChannelEvent;
using JobKind = ChannelJob::Kind;

constexpr std::chrono::milliseconds kPauseWithoutMemory{10};
constexpr std::string_view kNoThread = "no thread could be started";

}  // namespace

struct Channel::State {
  /// What other threads read.
  struct Published {
    explicit Published(Link& link) : watch(link.watch()) {}

    const std::shared_ptr<LinkWatch> watch;
    /// While up 1 + what watch->ends was before the registration, else 0: the end of a connection takes it down at
    /// once.
    std::atomic<std::uint64_t> up_at{0};
    std::atomic<TimePoint> known_good{TimePoint{}};
    std::atomic<bool> stopping{false};

    bool up() const {
      const std::uint64_t at = up_at.load(std::memory_order_acquire);
      return at != 0 && at == 1 + watch->ends.load(std::memory_order_acquire);
    }
  };

  State(ChannelOptions given, Link& link, ChannelListener& reports_to)
      : options(std::move(given)), data(link), listener(reports_to), published(link), worker(published.watch) {}

  const ChannelOptions options;
  Link& data;
  ChannelListener& listener;
  Published published;

  // The thread's own.
  Phase phase = Phase::down;
  ChannelWorker worker;
  Heartbeat heartbeat{options.ping_period};
  SelfTest self_test{.prefix = probe_prefix(options.prefix)};
  InvalidationFeed feed{listener, heartbeat, self_test};
  /// The data connection that is registered, or is being; set from `registering` on.
  std::shared_ptr<Connection> registered;
  TrackingRegistration registration;
  std::uint64_t server = 0;         ///< ServerPlace::number of the one that the channel's connection goes to
  std::uint64_t ends = 0;           ///< watch->ends before the data connection was looked for
  std::uint64_t moved = 0;          ///< by the data connection when it was checked last
  bool owes_listener_down = false;  ///< the channel went down, and on_down is still to be called
  RetryTimes retry;
  FailureLog failures{server_name(data.options()), [this](LogLevel level, std::string message) {
                        options.say ? options.say(level, std::move(message)) : data.options().log.write(level, message);
                      }};
  std::thread thread;

  void run();
  void step();
  void wait();
  TimePoint next_wake(TimePoint now) const;

  void receive();
  void publish_known_good();
  void watch_data_connection();
  void ping();
  void check_data_connection();
  bool moves_large_value(std::uint64_t before) const;

  void finish_job();
  void finish_connect(ChannelJob& job);
  void finish_request(ChannelJob& job);
  void advance();
  void start_connect(TimePoint now);
  void register_tracking(std::shared_ptr<Connection> connection, TimePoint now);
  void start_request(JobKind kind, std::optional<Event> event, Request request);

  void move(Event event);
  void come_up();
  void registration_lost(std::string_view why, LogLevel level = LogLevel::warning);
  void channel_lost(std::string_view why);
  void report_down(std::string_view why);
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
  state_->published.stopping = true;
  state_->published.watch->wake.ring();
  if (state_->thread.joinable()) state_->thread.join();
  state_->published.up_at = 0;
  state_->worker.end();
}

void Channel::join() noexcept {
  if (here()) state_->worker.join();
}

Channel::~Channel() {
  stop();
  if (here()) delete state_;
}

bool Channel::here() const { return forks_ == fork_count(); }
bool Channel::up() const { return here() && state_->published.up(); }
TimePoint Channel::last_known_good() const { return here() ? state_->published.known_good.load() : TimePoint{}; }

// --- the thread

void Channel::State::run() {
  while (!published.stopping) {
    try {
      step();
    } catch (const std::exception&) {  // no memory: what could not be received is as good as lost
      feed.close();
      registered = nullptr;
      // A job that connects goes on: in that phase there is nothing else to lose.
      if (!worker.is(JobKind::connect)) move(Event::out_of_memory);
      std::this_thread::sleep_for(kPauseWithoutMemory);
    }
  }
}

void Channel::State::step() {
  if (owes_listener_down) report_down("there was no memory for it");
  published.watch->wake.clear();
  if (feed.subscriber()) receive();
  watch_data_connection();
  finish_job();
  ping();
  check_data_connection();
  advance();
  wait();
}

TimePoint Channel::State::next_wake(TimePoint now) const {
  if (feed.has_more()) return now;
  TimePoint next = now + options.ping_period;
  if (feed.subscriber()) next = std::min(next, heartbeat.next_ping());
  if (phase == Phase::up) next = std::min(next, heartbeat.next_check());
  if (phase == Phase::self_test) next = std::min(next, self_test.deadline);
  if (phase != Phase::up && !worker.busy()) {
    for (const TimePoint each : {retry.connect, retry.registration, retry.data_connection}) {
      if (each > now) next = std::min(next, each);
    }
  }
  return next;
}

void Channel::State::wait() {
  const TimePoint now = Clock::now();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(Duration::zero(), next_wake(now) - now));
  const Subscriber* const subscriber = feed.subscriber();
  // Of the data connection only its end is of interest here: its replies are for others.
  pollfd wanted[] = {{.fd = published.watch->wake.descriptor(), .events = POLLIN, .revents = 0},
                     {.fd = subscriber ? subscriber->descriptor() : -1,
                      .events = subscriber ? subscriber->events() : short{0},
                      .revents = 0},
                     {.fd = phase == Phase::up ? registered->descriptor() : -1, .events = POLLRDHUP, .revents = 0}};
  if (::poll(wanted, std::size(wanted), static_cast<int>(left.count())) <= 0) return;
  if (wanted[2].revents == 0) return;
  heartbeat.idle_connection_ended();
  registration_lost("the server closed the data connection");
}

// --- signs of life

void Channel::State::receive() {
  const auto received = feed.receive();
  if (received.pong) publish_known_good();
  if (!received.open) channel_lost(fmt::format("the channel was lost: {}", feed.subscriber()->why()));
}

void Channel::State::publish_known_good() {
  if (phase != Phase::up) return;
  published.known_good = std::max(published.known_good.load(), heartbeat.known_good());
  listener.on_known_good(published.known_good);
}

void Channel::State::watch_data_connection() {
  if (!registered || published.watch->ends == ends) return;
  if (phase == Phase::up) return registration_lost("the data connection was lost");
  registered = nullptr;
  move(Event::registration_lost);
}

void Channel::State::ping() {
  const TimePoint now = Clock::now();
  if (!feed.subscriber() || now < heartbeat.next_ping()) return;
  if (heartbeat.awaits_pong()) return channel_lost("the channel did not answer in time");
  feed.subscriber()->send(Request{"PING", heartbeat.begin_ping(now)}.bytes());
  receive();  // which sends it
}

void Channel::State::check_data_connection() {
  const TimePoint now = Clock::now();
  if (phase != Phase::up || now < heartbeat.next_check()) return;
  if (!worker.busy()) {
    moved = registered->moved();
    heartbeat.check_begun(now);
    start_request(JobKind::check, std::nullopt, registration.check_request());
  } else if (now - worker.begun() < options.ping_period) {
    heartbeat.check_again(worker.begun() + options.ping_period);
  } else if (moves_large_value(moved)) {
    moved = registered->moved();
    heartbeat.check_again(now + options.ping_period);
  } else {
    registration_lost("the data connection did not answer in time");
  }
}

bool Channel::State::moves_large_value(std::uint64_t before) const {
  return registered->usable() && registered->moved() - before >= Connection::kProgress &&
         heartbeat.may_wait_for_large_value(Clock::now());
}

// --- jobs

void Channel::State::finish_job() {
  const auto job = worker.take_ended();
  if (!job) return;
  if (job->kind == JobKind::connect) return finish_connect(*job);
  // Found dead before anything was sent: that was no attempt, the next connection is another.
  if (job->answer.fault == Fault::lost && !job->answer.maybe_executed) retry.registration = {};
  // Of an earlier registration than the one there is now: what came of it does not matter any more.
  if (!feed.subscriber() || job->channel_id != registration.channel_id || job->connection != registered) return;
  finish_request(*job);
}

void Channel::State::finish_connect(ChannelJob& job) {
  if (!job.subscriber) {
    move(Event::connect_failed);
    return failures.failed(job.refused ? LogLevel::error : LogLevel::warning, job.error);
  }
  registration = {.prefix = options.prefix, .channel_id = job.subscriber->id()};
  server = job.server;
  feed.open(std::move(job.subscriber));
  heartbeat.channel_opened(Clock::now());
  retry.registration = {};
  move(Event::connected);
}

void Channel::State::finish_request(ChannelJob& job) {
  if (job.answer.fault != Fault::none) {
    if (job.kind == JobKind::check && job.answer.fault == Fault::timeout && moves_large_value(job.moved)) {
      return heartbeat.check_again(Clock::now());
    }
    return registration_lost(phase == Phase::up ? "the data connection was lost"
                                                : "the data connection did not answer");
  }
  if (job.kind == JobKind::check) {
    const Reply& redirection = job.answer.replies[0];
    if (redirection.means_not_now()) return;  // and so no sign of anything
    if (!registration.confirmed_by(redirection)) {
      return registration_lost("the server has forgotten the registration");
    }
    heartbeat.confirmed(job.begun);
    return publish_known_good();
  }
  if (job.kind == JobKind::self_test) registration.learn_from(job.answer);
  if (const std::string refusal = refusal_in(job.answer); !refusal.empty()) {
    return registration_lost(refusal, LogLevel::error);
  }
  if (job.kind == JobKind::enable) return come_up();
  move(Event::registered);
  self_test.deadline = Clock::now() + options.ping_period;
}

// --- towards being up

void Channel::State::advance() {
  if (phase == Phase::up || worker.busy()) return;
  const TimePoint now = Clock::now();
  if (phase == Phase::self_test) {
    if (self_test.reported) return start_request(JobKind::enable, Event::probe_reported, registration.enable_request());
    if (now < self_test.deadline) return;
    return registration_lost("the server did not report the key of the self-test on the channel", LogLevel::error);
  }
  assert(phase == Phase::down || phase == Phase::subscribed);  // in the others a job is running
  if (now < (phase == Phase::down ? retry.connect : retry.registration)) return;
  ends = published.watch->ends;  // before: an end in between must be seen
  if (phase == Phase::subscribed && data.refuses_writes()) {
    // The self-test writes, on the data connection: all reads would wait behind it.
    retry.registration = retry.after(now);
    return;
  }
  if (auto connection = data.current()) {
    if (phase == Phase::subscribed && server != data.server().number) {
      retry.connect = {};  // another server: there is nothing to wait for
      return channel_lost("the data connection is to another server now");
    }
    return phase == Phase::down ? start_connect(now) : register_tracking(std::move(connection), now);
  }
  // While the server is away the link alone reconnects, so that there are no more attempts than one may make.
  if (now < retry.data_connection) return;
  retry.data_connection = retry.after(now);
  data.connect_in_background();
}

void Channel::State::start_connect(TimePoint now) {
  retry.connect = retry.after(now);
  const ServerPlace place = data.server();
  worker.prepare({.kind = JobKind::connect, .server = place.number});
  move(Event::connect_started);
  if (worker.start_connect(data.options(), place.address, saturating_add(Clock::now(), data.options().connect_timeout)))
    return;
  move(Event::connect_failed);
  failures.failed(LogLevel::warning, std::string(kNoThread));
}

void Channel::State::register_tracking(std::shared_ptr<Connection> connection, TimePoint now) {
  retry.registration = retry.after(now);
  registered = std::move(connection);
  self_test.probe = self_test.prefix + new_nonce();
  self_test.reported = false;
  self_test.begun = now;
  start_request(JobKind::self_test, Event::registration_started, registration.self_test_request(self_test.probe));
}

/// Has the worker run it over the data connection. `event`: what that means for the phase.
void Channel::State::start_request(JobKind kind, std::optional<Event> event, Request request) {
  worker.prepare(
      {.kind = kind, .channel_id = registration.channel_id, .connection = registered, .moved = registered->moved()});
  if (event) move(*event);
  const Duration patience = std::max(options.ping_period, data.options().operation_timeout);
  if (!worker.start_request(std::move(request), saturating_add(Clock::now(), patience))) registration_lost(kNoThread);
}

// --- transitions

/// The only place where the phase changes.
void Channel::State::move(Event event) {
  const auto next = next_phase(phase, event);
  assert(next);
  if (!next || *next == phase) return;
  if (phase == Phase::up) {
    published.up_at = 0;
    owes_listener_down = true;
  }
  phase = *next;
  if (phase == Phase::up) published.up_at.store(1 + ends, std::memory_order_release);
}

void Channel::State::come_up() {
  heartbeat.up(self_test.begun, Clock::now());
  listener.before_up();
  move(Event::enabled);
  published.known_good = std::max(published.known_good.load(), self_test.begun);
  failures.recovered();
  listener.on_up(published.known_good);
}

/// The connections stay as they are; what is wrong with them shows when tracking is registered again.
void Channel::State::registration_lost(std::string_view why, LogLevel level) {
  registered = nullptr;
  move(Event::registration_lost);
  if (owes_listener_down) return report_down(why);
  failures.failed(level, std::string(why));
}

void Channel::State::channel_lost(std::string_view why) {
  feed.close();
  registered = nullptr;
  move(Event::channel_lost);
  if (owes_listener_down) report_down(why);
}

void Channel::State::report_down(std::string_view why) {
  listener.on_down(why);
  owes_listener_down = false;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
