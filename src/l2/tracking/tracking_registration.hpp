#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "l2/client/link.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Connection;

/// Where a server reports invalidations in RESP2.
inline constexpr std::string_view kInvalidations = "__redis__:invalidate";

/// Keys that begin so are written by a self-test and mean nothing. `prefix`: the namespace and its colon.
inline std::string probe_prefix(std::string_view prefix) { return std::string(prefix) + "\x01probe:"; }

/// What is said over the data connection so that changes are reported on the channel.
struct TrackingRegistration {
  std::string prefix;           ///< of the keys whose changes are reported
  std::int64_t channel_id = 0;  ///< the server's number for the channel's connection
  /// Own writes are not reported. Servers before 7.0 note who was the first to change a key in a round of theirs, not
  /// the last: there a change right behind an own one would go unreported too.
  bool no_loop = false;

  /// Registers so that own writes are reported too, writes `probe`, and asks for something that came with 7.0.
  Request self_test_request(std::string_view probe) const;
  /// Takes the last reply to the self-test, and sets `no_loop`.
  void learn_from(Answer& self_test);
  /// Registers for good.
  Request enable_request() const;
  /// Is the registration still there?
  Request check_request() const { return Request{"CLIENT", "GETREDIR"}; }
  bool confirmed_by(const Reply& redirection) const {
    return redirection.is(Reply::Kind::integer) && redirection.integer == channel_id;
  }
};

/// Runs a request over this connection and over no other, with an echo check; `maybe_executed` says whether a byte of
/// it was sent.
Answer run_on(Connection& connection, const Request& request, TimePoint deadline);

/// What the first error among the replies means, and what to do; empty when there is none.
std::string refusal_in(const Answer& answer);
/// The remedy when a message says that the server answered NOPERM; empty otherwise.
std::string_view remedy_for(std::string_view message);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
