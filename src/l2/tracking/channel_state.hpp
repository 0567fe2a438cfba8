#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "l2/client/handshake.hpp"
#include "l2/tracking/channel.hpp"
#include "l2/tracking/channel_phase.hpp"
#include "l2/tracking/channel_worker.hpp"
#include "l2/tracking/failure_log.hpp"
#include "l2/tracking/invalidation_feed.hpp"
#include "l2/tracking/mode_choice.hpp"
#include "l2/tracking/retry_times.hpp"
#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The channel's thread and all that it has. One thread, but for `published`.
struct Channel::State {
  using Clock = std::chrono::steady_clock;
  using Phase = ChannelPhase;
  using Event = ChannelEvent;
  using JobKind = ChannelJob::Kind;

  static constexpr std::chrono::milliseconds kPauseWithoutMemory{10};
  static constexpr std::chrono::seconds kPauseAfterEnds{30};
  static constexpr std::string_view kNoThread = "no thread could be started";
  /// How often it is said again that this process listens to announcements: a quarter of the time for which that holds.
  static constexpr std::chrono::seconds kListens{30};

  /// What other threads read.
  struct Published {
    explicit Published(Link& link) : watch(link.watch()) {}

    const std::shared_ptr<LinkWatch> watch;
    /// While up 1 + what watch->ends was before the registration, else 0: the end of a connection takes it down at
    /// once.
    std::atomic<std::uint64_t> up_at{0};
    std::atomic<TimePoint> known_good{TimePoint{}};
    std::atomic<bool> stopping{false};
    std::atomic<CoherenceMode> mode{CoherenceMode::automatic};

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
  InvalidationFeed feed{listener, heartbeat, self_test, options.prefix, options.process};
  /// The data connection that is registered, or is being; set from `registering` on.
  std::shared_ptr<Connection> registered;
  std::shared_ptr<Connection>
      probe_connection;               ///< with announcements: see ChannelWorker::start_probe. None while a job has it
  TrackingRegistration registration;  ///< its mode: of the connection that there is, or that is being made
  ModeChoice choice{options.coherence, options.until_tracking_again};
  TimePoint renew_listener{};       ///< with announcements: when it is said again that this process listens
  std::uint64_t server = 0;         ///< ServerPlace::number of the one that the channel's connection goes to
  std::uint64_t ends = 0;           ///< watch->ends before the data connection was looked for
  std::uint64_t moved = 0;          ///< by the data connection when it was checked last
  bool awaits_probe = false;        ///< of the last check
  bool owes_listener_down = false;  ///< the channel went down, and on_down is still to be called
  RetryTimes retry;
  FailureLog failures{server_name(data.options()),
                      [this](LogLevel level, std::string message) { say(level, std::move(message)); }};
  std::thread thread;

  void say(LogLevel level, std::string message) {
    options.say ? options.say(level, std::move(message)) : data.options().log.write(level, message);
  }
  void run();
  void step();
  void wait();
  TimePoint next_wake(TimePoint now) const;

  void receive();
  void publish_known_good();
  void watch_data_connection();
  void ping();
  void check_data_connection();
  void start_check(TimePoint now);
  void probe_is_late(TimePoint now);
  void new_probe(TimePoint now);
  bool moves_large_value(std::uint64_t before) const;

  void finish_job();
  void finish_connect(ChannelJob& job);
  void connect_failed(const Subscriber::Failure& failure);
  void finish_request(ChannelJob& job);
  void advance();
  void start_connect(TimePoint now);
  void register_tracking(std::shared_ptr<Connection> connection, TimePoint now);
  void start_request(JobKind kind, std::optional<Event> event, Request request);

  void move(Event event);
  void come_up();
  void registration_lost(std::string_view why, LogLevel level = LogLevel::warning);
  void refused(std::string_view why, bool unsupported);
  bool try_other_mode(std::string_view why);
  void say_mode();
  void channel_lost(std::string_view why);
  void report_down(std::string_view why);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
