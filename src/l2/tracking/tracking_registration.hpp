#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "l2/client/link.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Connection;

/// Where a server tells invalidations in RESP2.
inline constexpr std::string_view kInvalidations = "__redis__:invalidate";

/// What is said on the data connection so that changes are told on the channel whose number is `channel`.
struct TrackingRegistration {
  std::string prefix;
  std::int64_t channel = 0;
  /// Own writes may go untold. Servers before 7.0 note who was the first to change a key in a round of theirs, not the
  /// last: there a change right behind an own one would go untold too.
  bool quiet = false;

  /// Keys of this kind are written by a pairing and mean nothing.
  std::string probe_prefix() const { return prefix + "\x01probe:"; }
  /// Registers so that own writes are told too, writes `probe`, and asks for something that came with 7.0.
  Request prove(std::string_view probe) const;
  /// Takes the last reply to `prove`, and sets `quiet`.
  void learn_from(Answer& proof);
  /// Registers for good.
  Request arm() const;
  /// Is the registration still there?
  Request check() const { return Request{"CLIENT", "GETREDIR"}; }
  bool confirmed_by(const Reply& redirection) const {
    return redirection.is(Reply::Kind::integer) && redirection.integer == channel;
  }
};

/// Runs a request on this connection and on no other. Whether the replies are its own is verified; `maybe_executed`
/// says whether a byte of it was sent.
Answer run_on(Connection& connection, const Request& request, TimePoint deadline);

/// What the first error among the replies means, and what to do; empty when there is none.
std::string refusal_in(const Answer& answer);
/// The remedy when a message says that the server answered NOPERM; empty otherwise.
std::string_view remedy_for(std::string_view message);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
