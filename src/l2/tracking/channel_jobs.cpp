/// The channel's jobs: what comes of them, and the way to being up.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "base/saturating_add.hpp"
#include "l2/client/connection.hpp"
#include "l2/tracking/channel_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

// --- jobs

void Channel::State::finish_job() {
  const auto job = worker.take_ended();
  if (!job) return;
  if (job->kind == JobKind::connect) return finish_connect(*job);
  probe_connection = std::move(job->probe_connection);
  if (job->kind == JobKind::self_test && feed.subscriber() && job->channel_id == registration.channel_id) {
    if (choice.self_test_ended(registration.mode, job->answer)) {
      refused("the server ended the data connection over the self-test", true);
      const bool gives_up = published.mode == CoherenceMode::off;  // each attempt ends what others use
      if (gives_up) retry.connect = retry.registration = saturating_add(Clock::now(), kPauseAfterEnds);
      return;
    }
  }
  // Found dead before anything was sent: that was no attempt, the next connection is another.
  if (job->answer.fault == Fault::lost && !job->answer.maybe_executed) retry.registration = {};
  // Of an earlier registration than the one there is now: what came of it does not matter any more.
  if (!feed.subscriber() || job->channel_id != registration.channel_id || job->connection != registered) return;
  finish_request(*job);
}

void Channel::State::finish_connect(ChannelJob& job) {
  if (!job.subscriber) return connect_failed(job.failure);
  registration.channel_id = job.subscriber->id();
  registration.no_loop = false;
  server = job.server;
  feed.open(std::move(job.subscriber));
  heartbeat.channel_opened(Clock::now());
  retry.registration = {};
  move(Event::connected);
}

void Channel::State::connect_failed(const Subscriber::Failure& failure) {
  move(Event::connect_failed);
  const bool unsupported = choice.is_unsupported(registration.mode, failure);
  if (unsupported && try_other_mode(failure.why)) return;
  if (unsupported) published.mode = CoherenceMode::off;
  failures.failed(failure.refused ? LogLevel::error : LogLevel::warning, choice.with_first_refusal(failure.why));
}

void Channel::State::finish_request(ChannelJob& job) {
  if (job.answer.fault != Fault::none) {
    if (job.kind == JobKind::check && job.answer.fault == Fault::timeout && moves_large_value(job.moved)) {
      awaits_probe = false;  // it may never have been sent
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
    if (!registration.tracks()) return;  // the probe will say it
    heartbeat.confirmed(job.begun);
    return publish_known_good();
  }
  if (job.kind == JobKind::self_test) registration.learn_from(job.answer);
  // That nobody else is told who listens is no reason not to.
  const bool may_be_refused = job.kind == JobKind::enable && !registration.tracks();
  if (const std::string refusal = registration.refusal_in(job.answer); !refusal.empty() && !may_be_refused) {
    return refused(refusal, means_unsupported(job.answer));
  }
  if (job.kind == JobKind::enable) return come_up();
  move(Event::registered);
  self_test.deadline = Clock::now() + options.ping_period;
}

// --- towards being up

void Channel::State::advance() {
  if (worker.busy()) return;
  const TimePoint now = Clock::now();
  if (phase == Phase::up) {
    if (now < choice.tracking_due()) return;
    retry.connect = {};
    return channel_lost("tracking is tried again");
  }
  if (phase == Phase::self_test) {
    if (self_test.reported) return start_request(JobKind::enable, Event::probe_reported, registration.enable_request());
    if (now < self_test.deadline) return;
    return refused("the server did not report the key of the self-test on the channel",
                   choice.unreported(registration.mode));
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
      choice.start_over();
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
  probe_connection = nullptr;  // the server may be another
  registration = {.mode = choice.next(), .prefix = options.prefix, .process = options.process};
  registration.listener = options.listener ? options.listener() : listener_key(options.prefix);
  // Two attempts were made then.
  if (choice.is_second(registration.mode)) retry.connect = retry.after(retry.connect);
  const ServerPlace place = data.server();
  worker.prepare({.kind = JobKind::connect, .server = place.number});
  move(Event::connect_started);
  const TimePoint deadline = saturating_add(Clock::now(), data.options().connect_timeout);
  if (worker.start_connect(data.options(), place.address, registration.subscriptions(), deadline)) return;
  move(Event::connect_failed);
  failures.failed(LogLevel::warning, std::string(kNoThread));
}

void Channel::State::register_tracking(std::shared_ptr<Connection> connection, TimePoint now) {
  retry.registration = retry.after(now);
  registered = std::move(connection);
  new_probe(now);
  start_request(JobKind::self_test, Event::registration_started, registration.self_test_request(self_test.probe));
}

/// Has the worker run it over the data connection. `event`: what that means for the phase.
void Channel::State::start_request(JobKind kind, std::optional<Event> event, Request request) {
  worker.prepare({.kind = kind,
                  .channel_id = registration.channel_id,
                  .connection = registered,
                  .moved = registered->moved(),
                  .probe_connection = std::move(probe_connection)});
  if (event) move(*event);
  const Duration patience = std::max(options.ping_period, data.options().operation_timeout);
  // The listener is announced right after a probe, which has shown that writes do not wait.
  const bool probes = !registration.tracks() && kind != JobKind::enable;
  const bool started = probes ? worker.start_probe(data.options(), data.server().address, registration.first_request(),
                                                   std::move(request), patience)
                              : worker.start_request(std::move(request), saturating_add(Clock::now(), patience));
  if (!started) registration_lost(kNoThread);
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
  renew_listener = saturating_add(Clock::now(), kListens);
  published.mode = registration.mode;
  listener.before_up(registration.mode);
  move(Event::enabled);
  published.known_good = std::max(published.known_good.load(), self_test.begun);
  failures.recovered();
  choice.came_up(registration.mode, Clock::now());
  say_mode();
  listener.on_up(published.known_good);
}

/// The connections stay as they are; what is wrong with them shows when tracking is registered again.
void Channel::State::registration_lost(std::string_view why, LogLevel level) {
  registered = nullptr;
  move(Event::registration_lost);
  if (owes_listener_down) return report_down(why);
  failures.failed(level, std::string(why));
}

/// The server has said no, or does not do what it says.
void Channel::State::refused(std::string_view why, bool unsupported) {
  if (unsupported && try_other_mode(why)) return;
  if (unsupported) published.mode = CoherenceMode::off;
  const std::string both = choice.with_first_refusal(why);
  if (registration.tracks() && phase >= Phase::registering) return registration_lost(both, LogLevel::error);
  // A connection that leads elsewhere than the data connection stays of no use.
  channel_lost(both);
  failures.failed(LogLevel::error, both);
}

/// True: another one is tried at once.
bool Channel::State::try_other_mode(std::string_view why) {
  if (!choice.refused(registration.mode, why)) return false;
  channel_lost(why);
  retry.connect = {};
  return true;
}

/// Once.
void Channel::State::say_mode() {
  const std::string text = choice.message(registration.mode, server_name(data.options()), options.untracked_ttl);
  if (text.empty()) return;
  const bool chosen = options.coherence == CoherenceMode::automatic;
  say(chosen ? LogLevel::warning : LogLevel::info, text);
}

void Channel::State::channel_lost(std::string_view why) {
  feed.close();
  registered = nullptr;
  if (phase >= Phase::subscribed) move(Event::channel_lost);
  if (owes_listener_down) report_down(why);
}

void Channel::State::report_down(std::string_view why) {
  listener.on_down(why);
  owes_listener_down = false;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
