#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "l2/client/link.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Connection;

/// The server's address, for messages.
std::string endpoint_name(const Address& address);

/// A connected stream, as the options say: plain or encrypted. Null when it did not come about by `deadline`; `error`
/// says why.
std::unique_ptr<Stream> connect_stream(const LinkOptions& options, TimePoint deadline, std::string& error);

/// What a new connection says first: user, password, database.
Request handshake_request(const LinkOptions& options);

/// Runs the handshake and a PING. False: `refusal` is what the server said, a reason that lives as long as the process;
/// else `error` says what was wrong.
bool run_handshake(Connection& connection, const LinkOptions& options, TimePoint deadline, std::string& error,
                   std::string_view& refusal);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
