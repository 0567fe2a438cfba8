#include "l2/client/handshake.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "l2/client/address_map.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/reason.hpp"
#include "l2/client/server_role.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::string endpoint_name(const Address& address) {
  return address.host.empty() ? address.socket_path : host_port_text({.host = address.host, .port = address.port});
}

std::string server_name(const LinkOptions& options) {
  return options.finder ? options.finder->name() : endpoint_name(options.address);
}

std::unique_ptr<Stream> connect_stream(const LinkOptions& options, const Address& address, TimePoint deadline,
                                       std::string& error) {
  return options.connect ? options.connect(address, deadline, error) : connect_plain(address, deadline, error);
}

namespace {
constexpr std::string_view kNoCredentials = "the credentials callback threw an exception";

/// Nothing of what it throws is repeated: it may hold what it was about.
bool ask(const LinkOptions& options, Credentials& credentials, std::string& error) {
  try {
    credentials = options.credentials();
    return true;
  } catch (...) {  // the user's code
    error = kNoCredentials;
    return false;
  }
}
}  // namespace

std::optional<Request> handshake_request(const LinkOptions& options, std::string& error) {
  Credentials credentials{options.user, options.password};
  if (options.credentials && !ask(options, credentials, error)) return std::nullopt;
  Request request;
  if (!credentials.user.empty()) {
    request.add({"AUTH", credentials.user, credentials.password});
  } else if (!credentials.password.empty()) {
    request.add({"AUTH", credentials.password});
  }
  if (options.database != 0) request.add({"SELECT", std::to_string(options.database)});
  return request;
}

OneAnswer ask_once(const LinkOptions& options, const Request& question, TimePoint deadline) {
  OneAnswer answer;
  auto stream = connect_stream(options, options.address, deadline, answer.why);
  if (!stream) return answer;
  Connection connection(std::move(stream), options.limits);
  auto request = handshake_request(options, answer.why);
  if (!request) return answer;
  const std::size_t of_login = request->commands();
  request->append(question.bytes(), question.commands());
  PendingRequest pending(request->commands());
  connection.run(pending, request->bytes(), deadline);
  if (pending.fault != Fault::none) {
    answer.why = pending.fault == Fault::timeout ? "no answer in time" : connection.why();
    return answer;
  }
  auto& replies = pending.replies;
  name_errors(*request, replies);
  const auto login = std::span(replies).first(of_login);
  const auto refused = std::ranges::find_if(login, [](const Reply& each) { return each.is(Reply::Kind::error); });
  if (refused != login.end()) {  // says more than what came of it
    answer.refusal = refused->why;
    answer.why = answer.refusal;
    return answer;
  }
  replies.erase(replies.begin(), replies.begin() + static_cast<std::ptrdiff_t>(of_login));
  answer.replies = std::move(replies);
  return answer;
}

bool run_handshake(Connection& connection, const LinkOptions& options, TimePoint deadline, std::string& error,
                   std::string_view& refusal, std::string& run) {
  auto login = handshake_request(options, error);
  if (!login) {
    refusal = kNoCredentials;
    return false;
  }
  Request& request = login->add({"PING"});
  const std::size_t own = request.commands();
  if (options.finder) ServerRole::add_request(request);
  PendingRequest pending(request.commands());
  connection.run(pending, request.bytes(), deadline);
  if (pending.fault != Fault::none) {
    error = connection.why();
    return false;
  }
  name_errors(request, pending.replies);
  const std::span replies(pending.replies);
  for (const Reply& reply : replies.first(own)) {
    // MISCONF: it cannot save and takes no writes, but reads go on.
    if (!reply.is(Reply::Kind::error) || reply.error_code() == "MISCONF") continue;
    if (reply.refuses("ping")) continue;  // it has answered all the same
    refusal = reply.why;
    return false;
  }
  if (!options.finder) return true;
  ServerRole role = ServerRole::read(replies.subspan(own));
  run = std::move(role.run);
  if (role.kind == ServerRole::Kind::master) return true;
  refusal = role.kind == ServerRole::Kind::unknown && !replies[own].why.empty() ? replies[own].why : kNotMaster;
  return false;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
