#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/options.hpp>

#include "l2/client/address_map.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Where L2 is, and as which user to log in.
struct Endpoint {
  enum class Transport { memory, tcp, tls, unix_socket };

  Transport transport = Transport::memory;  // memory: no server
  std::string host = {};                    // tcp, tls; an IPv6 address without its brackets
  std::uint16_t port = 0;                   // tcp, tls
  std::string path = {};                    // unix_socket
  std::string user = {};                    // empty: the server's default user
  std::string password = {};                // both empty: no AUTH
  int database = 0;
  /// Not empty: these know where the server is, the master of that name; `host` and `port` are not used.
  std::vector<HostPort> sentinels = {};
  std::string master = {};
  /// Not empty: nodes of a cluster, that or any of them; `host` and `port` are those of the first.
  std::vector<HostPort> cluster = {};

  bool operator==(const Endpoint&) const = default;
};

/// Reads `options.url` (empty is `memory:`), lays the options in it over the fields they name, and checks what a
/// connection is made from. Throws ConfigError, whose words hold nothing of the URL but names that are no secret: see
/// url.cpp.
Endpoint apply_url(ManagerOptions& options);

/// The endpoint alone; everything in the URL is checked all the same.
Endpoint parse_url(std::string_view url);

/// The inverse of parse_url: parse_url(format_url(e)) == e. Holds the password.
std::string format_url(const Endpoint& endpoint);

/// For messages: scheme, host, port and database (or the socket's path), `***@` for user and password, no options. Of
/// what cannot be read, the scheme at most. Never throws ConfigError.
std::string redacted(std::string_view url);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
