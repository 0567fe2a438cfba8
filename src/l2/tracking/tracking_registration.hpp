#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include <dsta/cache/coherence_mode.hpp>

#include "l2/client/link.hpp"
#include "l2/tracking/subscriber.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Connection;

/// Where a server reports invalidations in RESP2.
inline constexpr std::string_view kInvalidations = "__redis__:invalidate";

/// Keys that begin so are written by a self-test and mean nothing. `prefix`: the namespace and its colon.
inline std::string probe_prefix(std::string_view prefix) { return std::string(prefix) + "\x01probe:"; }

/// What is said so that changes are reported on the channel: what it subscribes to, and what is asked over the data
/// connection.
///
/// With CoherenceMode::tracking the data connection registers, and with it all is lost. With announcements nothing
/// depends on a connection but that both lead to one server, which a probe shows that goes out by the one and comes
/// back by the other.
struct TrackingRegistration {
  CoherenceMode mode = CoherenceMode::tracking;  ///< that or announcements
  std::string prefix;                            ///< of the keys whose changes are reported
  std::string process;                           ///< what this process's announcements are known by
  std::string listener = {};                     ///< key that says that somebody listens; empty: not to be set here
  std::int64_t channel_id = 0;                   ///< the server's number for the channel's connection
  /// Own writes are not reported. Servers before 7.0 note who was the first to change a key in a round of theirs, not
  /// the last: there a change right behind an own one would go unreported too.
  bool no_loop = false;

  bool tracks() const { return mode == CoherenceMode::tracking; }
  Subscriber::Wanted subscriptions() const;
  /// Tracking: registers so that own writes are reported too, writes `probe`, and asks for something that came with
  /// 7.0. Announcements: announces the probe, as changes are.
  Request self_test_request(std::string_view probe) const;
  /// Announcements: a message that says nothing, to this process. Where the server lets it wait, so it would the probe.
  Request first_request() const;
  /// Takes the last reply to the self-test, and sets `no_loop`.
  void learn_from(Answer& self_test);
  /// Registers for good. Announcements: says that somebody listens, which may be refused.
  Request enable_request() const;
  /// Is the registration still there? Announcements: sends this process a probe; with `renew`, what enable_request
  /// does.
  Request check_request(std::string_view probe, bool renew) const;
  bool confirmed_by(const Reply& reply) const {
    return reply.is(Reply::Kind::integer) && (!tracks() || reply.integer == channel_id);
  }
  /// What the first error among the replies means, and what to do; empty when there is none.
  std::string refusal_in(const Answer& answer) const;
};

/// The answer says that the server does not offer this, or not to this user.
bool means_unsupported(const Answer& answer);

/// Runs a request over this connection and over no other, with an echo check; `maybe_executed` says whether a byte of
/// it was sent.
Answer run_on(Connection& connection, const Request& request, TimePoint deadline);

/// The remedy when a message says that the server answered NOPERM; empty otherwise.
std::string_view remedy_for(std::string_view message);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
