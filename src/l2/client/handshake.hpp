#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/link.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Connection;

/// The server's address, for messages.
std::string endpoint_name(const Address& address);

/// The link's server, for messages.
std::string server_name(const LinkOptions& options);

/// A connected stream, as the options say: plain or encrypted. Null when it did not come about by `deadline`; `error`
/// says why.
std::unique_ptr<Stream> connect_stream(const LinkOptions& options, const Address& address, TimePoint deadline,
                                       std::string& error);

/// What a new connection says first: user, password, database. Nothing, and why, where LinkOptions::credentials failed.
std::optional<Request> handshake_request(const LinkOptions& options, std::string& error);

/// The replies to a question, or why there are none.
struct OneAnswer {
  std::vector<Reply> replies = {};  ///< empty: none; errors among them have their reason
  std::string why = {};
  std::string_view refusal = {};  ///< where the login was refused: the same, for as long as the process lives
};
/// Asks by a connection of its own, which is logged in and ends with that.
OneAnswer ask_once(const LinkOptions& options, const Request& question, TimePoint deadline);

/// Runs the handshake and a PING. With a ServerFinder the server must be a master, and `run` is what it says of its
/// history. False: `refusal` is what the server said, or that LinkOptions::credentials failed, a reason that lives as
/// long as the process; else `error` says what was wrong.
bool run_handshake(Connection& connection, const LinkOptions& options, TimePoint deadline, std::string& error,
                   std::string_view& refusal, std::string& run);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
