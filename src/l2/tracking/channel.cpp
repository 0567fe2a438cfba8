#include "l2/tracking/channel.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/fork_count.hpp"
#include "base/nonce.hpp"
#include "base/thread.hpp"
#include "l2/client/connection.hpp"
#include "l2/tracking/channel_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

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
CoherenceMode Channel::mode() const {
  return here() ? state_->published.mode.load(std::memory_order_relaxed) : CoherenceMode::automatic;
}
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
  registration_lost("the data connection was closed");
}

// --- signs of life

void Channel::State::receive() {
  const auto received = feed.receive();
  // The probe that was sent last: what was announced before it has come before it.
  const bool probed = phase == Phase::up && !registration.tracks() && self_test.reported;
  if (probed) heartbeat.confirmed(self_test.begun);
  if (received.pong || probed) publish_known_good();
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
    if (awaits_probe && !self_test.reported) return probe_is_late(now);
    start_check(now);
  } else if (now - worker.begun() < options.ping_period) {
    heartbeat.check_again(worker.begun() + options.ping_period);
  } else if (moves_large_value(moved)) {
    moved = registered->moved();
    heartbeat.check_again(now + options.ping_period);
  } else {
    registration_lost("the data connection did not answer in time");
  }
}

void Channel::State::start_check(TimePoint now) {
  // A probe is a write to the server: while it lets those wait, all reads would wait behind it.
  if (!registration.tracks() && data.refuses_writes()) return heartbeat.check_again(now + options.ping_period);
  moved = registered->moved();
  heartbeat.check_begun(now);
  awaits_probe = !registration.tracks();
  if (awaits_probe) new_probe(now);
  const bool renew = now >= renew_listener;
  if (renew) renew_listener = now + kListens;
  if (renew && options.listener) registration.listener = options.listener();  // the key may be another server's by now
  start_request(JobKind::check, std::nullopt, registration.check_request(self_test.probe, renew));
}

/// Announcements come by the channel's own connection, but may wait behind a large value as well.
void Channel::State::probe_is_late(TimePoint now) {
  if (!moves_large_value(moved)) return registration_lost("a probe did not come back in time");
  moved = registered->moved();
  heartbeat.check_again(now + options.ping_period);
}

void Channel::State::new_probe(TimePoint now) {
  self_test.probe = self_test.prefix;
  if (options.probe_tag) self_test.probe += options.probe_tag();
  self_test.probe += new_nonce();
  self_test.reported = false;
  self_test.begun = now;
}

bool Channel::State::moves_large_value(std::uint64_t before) const {
  return registered->usable() && registered->moved() - before >= Connection::kProgress &&
         heartbeat.may_wait_for_large_value(Clock::now());
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
