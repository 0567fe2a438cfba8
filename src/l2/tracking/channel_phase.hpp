#pragma once
#include <cstdint>
#include <optional>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Where the invalidation channel stands. Two connections carry it: the channel's own, which has subscribed, and the
/// data connection of the link, over which tracking is registered.
enum class ChannelPhase : std::uint8_t {
  down,         ///< no connection of its own; the next attempt is made in its time
  connecting,   ///< a job makes the connection, logs in and subscribes
  subscribed,   ///< connected; tracking is not registered
  registering,  ///< a job registers over the data connection and writes the probe, a key of the self-test
  self_test,    ///< registered; the probe has not been reported yet
  enabling,     ///< a job registers once more, without the echo of own writes
  up,           ///< every change by others is reported
};

enum class ChannelEvent : std::uint8_t {
  connect_started,
  connect_failed,
  connected,
  registration_started,
  registered,  ///< the server accepted the registration and the probe
  probe_reported,
  enabled,
  registration_lost,  ///< refused, not answered, the probe not reported in time, or the data connection ended
  channel_lost,       ///< the channel's connection ended, or did not answer a PING in time
  out_of_memory,      ///< something was not read: as good as lost
};

/// The phase after `event`; nothing where it cannot happen. Pure. The table:
///
///     phase        event                  next phase
///     down         connect_started        connecting
///     connecting   connect_failed         down
///     connecting   connected              subscribed
///     subscribed   registration_started   registering
///     registering  registered             self_test
///     self_test    probe_reported         enabling
///     enabling     enabled                up
///     registering, self_test, enabling, up              registration_lost   subscribed
///     subscribed, registering, self_test, enabling, up  channel_lost        down
///     any                                               out_of_memory       down
///
/// Beside the phase stand, because they are independent of it: the heartbeat (Heartbeat), whether the worker has a job
/// (it may be one from before a loss, whose result no longer counts), whether the probe was reported (it may come
/// before the reply to the registration), and whether the listener has yet to be called for a loss.
constexpr std::optional<ChannelPhase> next_phase(ChannelPhase phase, ChannelEvent event) {
  using Phase = ChannelPhase;
  const auto from = [&](Phase required, Phase next) -> std::optional<Phase> {
    if (phase == required) return next;
    return std::nullopt;
  };
  switch (event) {
    case ChannelEvent::connect_started:
      return from(Phase::down, Phase::connecting);
    case ChannelEvent::connect_failed:
      return from(Phase::connecting, Phase::down);
    case ChannelEvent::connected:
      return from(Phase::connecting, Phase::subscribed);
    case ChannelEvent::registration_started:
      return from(Phase::subscribed, Phase::registering);
    case ChannelEvent::registered:
      return from(Phase::registering, Phase::self_test);
    case ChannelEvent::probe_reported:
      return from(Phase::self_test, Phase::enabling);
    case ChannelEvent::enabled:
      return from(Phase::enabling, Phase::up);
    case ChannelEvent::registration_lost:
      if (phase < Phase::registering) return std::nullopt;
      return Phase::subscribed;
    case ChannelEvent::channel_lost:
      if (phase < Phase::subscribed) return std::nullopt;
      return Phase::down;
    case ChannelEvent::out_of_memory:
      return Phase::down;
  }
  return std::nullopt;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
