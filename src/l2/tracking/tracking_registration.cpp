#include "l2/tracking/tracking_registration.hpp"

#include <fmt/format.h>

#include "l2/client/connection.hpp"
#include "l2/client/echo_check.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Longer than any self-test; then the server forgets the key.
constexpr std::string_view kProbeMilliseconds = "5000";

}  // namespace

Request TrackingRegistration::self_test_request(std::string_view probe) const {
  Request request;
  // Off first: the options of a registration that stands cannot be changed.
  request.add({"CLIENT", "TRACKING", "OFF"});
  request.add({"CLIENT", "TRACKING", "ON", "REDIRECT", std::to_string(channel_id), "BCAST", "PREFIX", prefix});
  request.add({"SET", probe, "1", "PX", kProbeMilliseconds});
  request.add({"PEXPIRETIME", probe});
  return request;
}

void TrackingRegistration::learn_from(Answer& self_test) {
  no_loop = self_test.replies.back().is(Reply::Kind::integer);
  self_test.replies.pop_back();
}

Request TrackingRegistration::enable_request() const {
  Request request;
  request.add({"CLIENT", "TRACKING", "OFF"});
  const std::string id = std::to_string(channel_id);
  std::vector<std::string_view> on = {"CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST", "PREFIX", prefix};
  if (no_loop) on.emplace_back("NOLOOP");
  request.add(on);
  return request;
}

Answer run_on(Connection& connection, const Request& request, TimePoint deadline) {
  const EchoCheck check;
  PendingRequest pending(request.commands() + check.request().commands());
  connection.run(pending, {request.bytes(), check.request().bytes()}, deadline);
  Answer answer;
  answer.fault = pending.fault;
  answer.maybe_executed = pending.sent;
  if (answer.fault != Fault::none) return answer;
  if (!check.confirms(pending.replies)) {
    connection.close_as_corrupt("the echo check failed: replies are out of step");
    answer.fault = Fault::protocol;
    return answer;
  }
  answer.replies = std::move(pending.replies);
  name_errors(request, answer.replies);
  return answer;
}

std::string refusal_in(const Answer& answer) {
  for (const Reply& reply : answer.replies) {
    if (!reply.is(Reply::Kind::error)) continue;
    if (reply.text.find("redirect") != std::string::npos) return "the server does not know the channel any more";
    if (reply.error_code() == "ERR") return fmt::format("{}: CLIENT TRACKING needs Redis 6.0 or later", reply.why);
    return std::string(reply.why);
  }
  return {};
}

std::string_view remedy_for(std::string_view message) {
  if (message.find("NOPERM") == std::string_view::npos) return {};
  return " (the ACL of the user must allow +client|id +client|tracking +client|getredir +subscribe +ping, the channel "
         "&__redis__:invalidate, and writing keys of the namespace)";
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
