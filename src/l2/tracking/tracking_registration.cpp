#include "l2/tracking/tracking_registration.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "l2/client/connection.hpp"
#include "l2/client/echo_check.hpp"
#include "l2/client/reason.hpp"
#include "l2/tracking/announcement.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Longer than any self-test; then the server forgets the key.
constexpr std::string_view kProbeMilliseconds = "5000";

/// Renewed well before: see Channel.
constexpr std::string_view kListenerMilliseconds = "120000";

/// CLIENT TRACKING was refused since the channel's connection is gone, or is another server's.
bool forgets_channel(const Reply& error) { return error.text.find("redirect") != std::string::npos; }

}  // namespace

Subscriber::Wanted TrackingRegistration::subscriptions() const {
  if (tracks()) return {.channels = {std::string(kInvalidations)}};
  return {.channels = {probe_channel(prefix, process), announcement_channel(prefix)}, .id = false};
}

Request TrackingRegistration::self_test_request(std::string_view probe) const {
  Request request;
  if (!tracks()) {
    const auto text = AnnouncementText(process).add(Announcement::Kind::probe, probe);
    request.add({"PUBLISH", announcement_channel(prefix), text.text()});
    return request;
  }
  // Off first: the options of a registration that stands cannot be changed.
  request.add({"CLIENT", "TRACKING", "OFF"});
  request.add({"CLIENT", "TRACKING", "ON", "REDIRECT", std::to_string(channel_id), "BCAST", "PREFIX", prefix});
  request.add({"SET", probe, "1", "PX", kProbeMilliseconds});
  request.add({"PEXPIRETIME", probe});
  return request;
}

Request TrackingRegistration::first_request() const {
  return Request{"PUBLISH", probe_channel(prefix, process), AnnouncementText(process).text()};
}

void TrackingRegistration::learn_from(Answer& self_test) {
  if (!tracks()) return;
  no_loop = self_test.replies.back().is(Reply::Kind::integer);
  self_test.replies.pop_back();
}

Request TrackingRegistration::enable_request() const {
  Request request;
  if (!tracks()) {
    if (listener.empty()) return request.add({"PING"});
    return request.add({"SET", listener, "1", "PX", kListenerMilliseconds});
  }
  request.add({"CLIENT", "TRACKING", "OFF"});
  const std::string id = std::to_string(channel_id);
  std::vector<std::string_view> on = {"CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST", "PREFIX", prefix};
  if (no_loop) on.emplace_back("NOLOOP");
  request.add(on);
  return request;
}

Request TrackingRegistration::check_request(std::string_view probe, bool renew) const {
  if (tracks()) return Request{"CLIENT", "GETREDIR"};
  const auto text = AnnouncementText(process).add(Announcement::Kind::probe, probe);
  Request request{"PUBLISH", probe_channel(prefix, process), text.text()};
  if (renew && !listener.empty()) request.add({"SET", listener, "1", "PX", kListenerMilliseconds});
  return request;
}

std::string TrackingRegistration::refusal_in(const Answer& answer) const {
  for (const Reply& reply : answer.replies) {
    if (!reply.is(Reply::Kind::error)) continue;
    if (!tracks()) return std::string(reply.why);
    if (forgets_channel(reply)) return "the server does not know the channel any more";
    if (reply.error_code() == "ERR") return fmt::format("{}: CLIENT TRACKING needs Redis 6.0 or later", reply.why);
    return std::string(reply.why);
  }
  return {};
}

bool means_unsupported(const Answer& answer) {
  const auto first =
      std::ranges::find_if(answer.replies, [](const Reply& reply) { return reply.is(Reply::Kind::error); });
  return first != answer.replies.end() && first->means_never() && !forgets_channel(*first);
}

Answer run_on(Connection& connection, const Request& request, TimePoint deadline) {
  const EchoCheck check(connection.echo_way().by());
  PendingRequest pending(request.commands() + check.request().commands());
  connection.run(pending, {request.bytes(), check.request().bytes()}, deadline);
  Answer answer;
  answer.fault = pending.fault;
  answer.maybe_executed = pending.sent;
  if (answer.fault != Fault::none) return answer;
  const auto verdict = check.judge(pending.replies);
  if (verdict == EchoCheck::Verdict::refused) connection.echo_way().refused(check.by());
  if (verdict == EchoCheck::Verdict::failed) {
    connection.close_as_corrupt("the echo check failed: replies are out of step");
    answer.fault = Fault::protocol;
    return answer;
  }
  answer.replies = std::move(pending.replies);
  name_errors(request, answer.replies);
  return answer;
}

std::string_view remedy_for(std::string_view message) {
  if (message.find("NOPERM") == std::string_view::npos) return {};
  return " (the ACL of the user must allow +client|id +client|tracking +client|getredir +subscribe +ping, the channel "
         "&__redis__:invalidate, and writing keys of the namespace; without tracking +subscribe +publish +ping and the "
         "channels &SPACE:changes*)";
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
