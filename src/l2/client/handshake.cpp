#include "l2/client/handshake.hpp"

#include <fmt/format.h>

#include "l2/client/connection.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::string endpoint_name(const Address& address) {
  return address.host.empty() ? address.socket_path : fmt::format("{}:{}", address.host, address.port);
}

std::unique_ptr<Stream> connect_stream(const LinkOptions& options, TimePoint deadline, std::string& error) {
  return options.connect ? options.connect(options.address, deadline, error)
                         : connect_plain(options.address, deadline, error);
}

Request handshake_request(const LinkOptions& options) {
  Request request;
  if (!options.user.empty()) {
    request.add({"AUTH", options.user, options.password});
  } else if (!options.password.empty()) {
    request.add({"AUTH", options.password});
  }
  if (options.database != 0) request.add({"SELECT", std::to_string(options.database)});
  return request;
}

bool run_handshake(Connection& connection, const LinkOptions& options, TimePoint deadline, std::string& error,
                   std::string_view& refusal) {
  Request request = handshake_request(options);
  request.add({"PING"});
  PendingRequest pending(request.commands());
  connection.run(pending, request.bytes(), deadline);
  if (pending.fault != Fault::none) {
    error = connection.why();
    return false;
  }
  for (const Reply& reply : pending.replies) {
    // MISCONF: it cannot save and takes no writes, but reads go on.
    if (!reply.is(Reply::Kind::error) || reply.error_code() == "MISCONF") continue;
    if (reply.refuses("ping")) continue;  // it has answered all the same
    name_errors(request, pending.replies);
    refusal = reply.why;
    return false;
  }
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
