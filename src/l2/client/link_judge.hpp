#pragma once
#include <optional>
#include <string_view>
#include <utility>

#include "l2/client/connection.hpp"
#include "l2/client/echo_check.hpp"
#include "l2/client/link.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

inline std::string_view why_of(Fault fault, const Request& request, const Connection& connection) {
  const std::string_view command = request.command(0);
  return fault == Fault::timeout ? reason_of_literal(command, "the server did not answer in time")
                                 : reason_of(command, connection.why());
}

/// Of a request that has come to its end: checks that the replies are its own. What came of it is in `answer`; true: a
/// byte of the request was sent.
inline bool take_replies(Connection& connection, const Request& request, std::optional<EchoCheck>& check,
                         PendingRequest& pending, Answer& answer) {
  answer.fault = pending.fault;
  answer.maybe_executed = answer.maybe_executed || pending.sent;
  if (answer.fault != Fault::none) {
    answer.why = why_of(answer.fault, request, connection);
    answer.order = pending.order;
    if (const auto large = connection.awaited_large(pending); large != 0) answer.awaited_large = large;
    return pending.sent;
  }
  const auto verdict = check ? check->judge(pending.replies) : EchoCheck::Verdict::confirmed;
  if (verdict == EchoCheck::Verdict::failed) {
    // Where the server refuses the ECHO itself, that is what to say; it may be the answer to something else, too.
    name_errors(check->request(), pending.replies, request.commands());
    answer.why = pending.replies.back().why;
    if (answer.why.empty()) answer.why = "the reply does not belong to the request";
    connection.close_as_corrupt("the echo check failed: replies are out of step");
    answer.fault = Fault::protocol;
  } else {
    if (verdict == EchoCheck::Verdict::refused) connection.echo_way().refused(check->by());
    answer.why = {};
    answer.replies = std::move(pending.replies);
    answer.order = pending.order;
    name_errors(request, answer.replies);
  }
  return pending.sent;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
