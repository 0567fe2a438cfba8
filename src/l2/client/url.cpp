// scheme://user:password@host:port/database?options, unix://user:password@/path?options,
// scheme://user:password@sentinel,sentinel,.../master/database?options, and
// scheme://user:password@node,node,.../?cluster=true&options.
//
// A mistake may shift what is a password to another place: redis://user:secret reads as host and port, and an unescaped
// '?' makes the rest of a password an option. So an error never repeats what it refuses. It names the part, and of the
// URL's own text only a scheme or an option name that is made like one.
#include "l2/client/url.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/percent.hpp"
#include "l2/client/url_options.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Transport = Endpoint::Transport;

constexpr std::uint16_t kDefaultPort = 6379, kSentinelPort = 26379;
constexpr std::string_view kLocalhost = "localhost";
constexpr std::string_view kKnownSchemes =
    "known are 'memory:', redis://, rediss://, valkey://, valkeys://, unix://, redis-sentinel://, rediss-sentinel://";
struct Scheme {
  std::string_view name;
  Transport transport;
  bool sentinels = false;  ///< the hosts are those of sentinels
};
constexpr Scheme kSchemes[] = {
    {"memory", Transport::memory},
    {"redis", Transport::tcp},
    {"rediss", Transport::tls},
    {"valkey", Transport::tcp},
    {"valkeys", Transport::tls},
    {"unix", Transport::unix_socket},
    {"redis+unix", Transport::unix_socket},
    {"redis-sentinel", Transport::tcp, true},
    {"rediss-sentinel", Transport::tls, true},
    {"valkey-sentinel", Transport::tcp, true},
    {"valkeys-sentinel", Transport::tls, true},
};

/// Null: it is not known.
const Scheme* find_scheme(std::string_view name) {
  const auto* const found = std::ranges::find(kSchemes, name, &Scheme::name);
  return found == std::end(kSchemes) ? nullptr : found;
}

[[noreturn]] void refuse_scheme(std::string_view scheme, std::string_view rest) {
  // What stands in a scheme's place but is none may be a password: it is not repeated.
  constexpr std::string_view kSchemeBytes = "abcdefghijklmnopqrstuvwxyz+-.";
  if (!rest.starts_with("://") || scheme.empty() || scheme.find_first_not_of(kSchemeBytes) != scheme.npos) {
    throw ConfigError(fmt::format("the URL has no scheme: {}", kKnownSchemes));
  }
  const bool has_user = rest.find('@') != rest.npos;  // then it may be a part of what stands before the '@'
  throw ConfigError(fmt::format("URL scheme{} is not known: {}",
                                has_user ? "" : fmt::format(" '{}'", scheme.substr(0, 32)), kKnownSchemes));
}

/// A URL's parts after "scheme://".
struct Parts {
  std::string_view scheme;
  std::string_view authority = {};
  std::string_view path = {};
  std::string_view query = {};

  [[noreturn]] void refuse(std::string_view why) const { throw ConfigError(fmt::format("{}:// URL: {}", scheme, why)); }
};

Parts split(std::string_view scheme, std::string_view text) {
  Parts parts{.scheme = scheme};
  parts.authority = text.substr(0, text.find_first_of("/?#"));
  text.remove_prefix(parts.authority.size());
  if (text.find_first_of("@#") != text.npos) {
    parts.refuse(
        "an '@' or '#' after the host is written %40 or %23, and in a password a '/', '?' or '#' is %2F, %3F or %23");
  }
  parts.path = text.substr(0, text.find('?'));
  if (parts.path.size() < text.size()) parts.query = text.substr(parts.path.size() + 1);
  return parts;
}

std::string decoded(const Parts& parts, std::string_view text, std::string_view what) {
  auto plain = percent_decoded(text);
  if (!plain) parts.refuse(fmt::format("{} holds a '%' without two hexadecimal digits: a '%' itself is %25", what));
  return std::move(*plain);
}

/// What is before the last '@': nothing, or `user:password`, in which the first ':' separates.
void read_user(const Parts& parts, std::string_view text, Endpoint& endpoint) {
  if (text.empty()) return;
  const std::size_t colon = text.find(':');
  if (colon == text.npos) parts.refuse("one word before the '@' may be either: write user:password@ or :password@");
  endpoint.user = decoded(parts, text.substr(0, colon), "the user");
  endpoint.password = decoded(parts, text.substr(colon + 1), "the password");
}

std::uint16_t port_number(const Parts& parts, std::string_view text) {
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || stop != text.data() + text.size() || port == 0) {
    parts.refuse("the port is not a number from 1 to 65535 (an IPv6 address stands in brackets)");
  }
  return port;
}

/// `address` or `address%25zone`, without the brackets.
std::string ipv6(const Parts& parts, std::string_view text) {
  const std::size_t percent = text.find('%');
  const std::string address(text.substr(0, percent));
  const std::string plain = decoded(parts, text, "the address");
  const std::string_view zone = percent == text.npos ? "%0" : std::string_view(plain).substr(percent);
  in6_addr unused{};
  if (address.find('\0') != address.npos || inet_pton(AF_INET6, address.c_str(), &unused) != 1 || zone.size() < 2 ||
      zone[0] != '%' || percent_encoded(zone.substr(1)) != zone.substr(1)) {
    parts.refuse("what is in the brackets is not an IPv6 address");
  }
  return plain;
}

/// `host`, `host:port`; nothing is the local one. `place.port`: the port where none is given.
void read_host(const Parts& parts, std::string_view text, bool has_user, HostPort& place) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == text.npos) parts.refuse("the host begins with '[' and has no ']'");
    place.host = ipv6(parts, text.substr(1, close - 1));
    text.remove_prefix(close + 1);
    if (text.empty()) return;
    if (text[0] != ':') parts.refuse("after ']' only ':' and a port may follow");
    place.port = port_number(parts, text.substr(1));
    return;
  }
  const std::string_view host = text.substr(0, text.find(':'));
  constexpr std::string_view kHostBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  constexpr std::size_t kLongestHost = 253;  // RFC 1035
  if (host.size() > kLongestHost || host.find_first_not_of(kHostBytes) != host.npos) {
    parts.refuse("the host may hold letters, digits, '-', '.' and '_' only");
  }
  // Without an '@', `:123456` is rather a password whose host was forgotten than a port.
  if (host.empty() && !text.empty() && !has_user) {
    parts.refuse("':' without a host: write localhost:port, or :password@host");
  }
  place.host = host.empty() ? kLocalhost : host;
  if (host.size() < text.size()) place.port = port_number(parts, text.substr(host.size() + 1));
}

/// `/number`. True when it names a database.
bool read_database(const Parts& parts, std::string_view path, Endpoint& endpoint) {
  if (path.size() < 2) return false;
  const auto number = database_number(decoded(parts, path.substr(1), "the path"));
  if (!number) parts.refuse("the path is not the number of a database, such as /0");
  endpoint.database = *number;
  return true;
}

/// `host,host`; `who` they are, for messages.
std::vector<HostPort> read_hosts(const Parts& parts, std::string_view hosts, bool has_user, std::uint16_t port,
                                 std::string_view who) {
  std::vector<HostPort> all;
  while (true) {
    const std::string_view one = hosts.substr(0, hosts.find(','));
    HostPort place{.host = {}, .port = port};
    if (one.empty() && one.size() < hosts.size()) {
      parts.refuse(fmt::format("a {} between two commas has no host", who));
    }
    read_host(parts, one, has_user, place);
    all.push_back(std::move(place));
    if (one.size() == hosts.size()) return all;
    hosts.remove_prefix(one.size() + 1);
    if (hosts.empty()) parts.refuse(fmt::format("there is no {} after the last comma", who));
  }
}

/// `sentinel,sentinel` and `/master/database`. True when it names a database.
bool read_sentinels(const Parts& parts, std::string_view hosts, bool has_user, Endpoint& endpoint) {
  endpoint.sentinels = read_hosts(parts, hosts, has_user, kSentinelPort, "sentinel");
  const std::string_view path = parts.path.substr(std::min<std::size_t>(1, parts.path.size()));
  const std::string_view name = path.substr(0, path.find('/'));
  // What a sentinel takes as the name of a master.
  constexpr std::string_view kNameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  constexpr std::size_t kLongestName = 200;
  if (name.empty()) {
    parts.refuse("the name of the master is missing: write it after the sentinels, as in host1,host2/mymaster");
  }
  if (name.size() > kLongestName || name.find_first_not_of(kNameBytes) != name.npos) {
    parts.refuse("the name of a master may hold letters, digits, '-', '.' and '_' only");
  }
  endpoint.master = name;
  return read_database(parts, path.substr(name.size()), endpoint);
}

void read_socket_path(const Parts& parts, Endpoint& endpoint) {
  constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;
  endpoint.path = decoded(parts, parts.path, "the path");
  if (endpoint.path.empty() || endpoint.path.ends_with('/')) {
    parts.refuse("the path of a socket is missing: write unix:///path/to.sock");
  }
  if (endpoint.path.size() > kLongestPath || endpoint.path.find('\0') != std::string::npos) {
    parts.refuse(fmt::format("a socket's path has at most {} bytes, none of them zero", kLongestPath));
  }
}

/// What `read` found: the endpoint, and the options that are still to be applied to it.
struct ReadUrl {
  Endpoint endpoint = {};
  std::string_view query = {};
  bool has_database = false;
  std::vector<HostPort> nodes = {};  ///< all hosts, where they are servers
};

ReadUrl read_memory(std::string_view rest) {
  if (rest.starts_with("//")) rest.remove_prefix(2);
  if (!rest.empty() && rest[0] != '?') throw ConfigError("a memory: URL has no host or path, only ?options");
  if (rest.find('@') != rest.npos) throw ConfigError("a memory: URL has no user, host or '@', only ?options");
  return {.query = rest.substr(rest.empty() ? 0 : 1)};
}

ReadUrl read(std::string_view url) {
  if (url.empty()) return {};
  const std::string_view scheme = url.substr(0, url.find(':'));
  const std::string_view rest = url.substr(scheme.size());
  const Scheme* const known = rest.empty() ? nullptr : find_scheme(scheme);
  if (!known) refuse_scheme(scheme, rest);
  if (known->transport == Transport::memory) return read_memory(rest.substr(1));
  if (!rest.starts_with("://")) throw ConfigError(fmt::format("URL scheme '{}' must be followed by ://", scheme));

  const Parts parts = split(scheme, rest.substr(3));
  ReadUrl found{.endpoint = {.transport = known->transport}, .query = parts.query};
  const std::size_t user_end = parts.authority.rfind('@');
  const bool has_user = user_end != parts.authority.npos;
  const std::string_view place = parts.authority.substr(has_user ? user_end + 1 : 0);
  if (has_user) read_user(parts, parts.authority.substr(0, user_end), found.endpoint);
  if (known->transport == Transport::unix_socket) {
    if (!place.empty()) parts.refuse("a socket has no host: write unix:///path/to.sock");
    read_socket_path(parts, found.endpoint);
  } else if (known->sentinels) {
    found.has_database = read_sentinels(parts, place, has_user, found.endpoint);
  } else {
    found.nodes = read_hosts(parts, place, has_user, kDefaultPort, "node");
    found.endpoint.host = found.nodes[0].host;
    found.endpoint.port = found.nodes[0].port;
    found.has_database = read_database(parts, parts.path, found.endpoint);
  }
  return found;
}

/// As it stands in a URL.
std::string host_text(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}:{}", v6 ? fmt::format("[{}]", percent_encoded(host, ":")) : host, port);
}

/// The URL of `endpoint`, with `user` for what stands before the host.
std::string assembled(const Endpoint& endpoint, std::string_view user) {
  if (endpoint.transport == Transport::memory) return "memory:";
  if (endpoint.transport == Transport::unix_socket) {
    return fmt::format("unix://{}{}?db={}", user, percent_encoded(endpoint.path, "/"), endpoint.database);
  }
  const std::string_view scheme = endpoint.transport == Transport::tls ? "rediss" : "redis";
  if (endpoint.sentinels.empty() && endpoint.cluster.empty()) {
    return fmt::format("{}://{}{}/{}", scheme, user, host_text(endpoint.host, endpoint.port), endpoint.database);
  }
  std::string hosts;
  for (const HostPort& each : endpoint.sentinels.empty() ? endpoint.cluster : endpoint.sentinels) {
    hosts.append(hosts.empty() ? "" : ",").append(host_text(each.host, each.port));
  }
  if (!endpoint.cluster.empty()) {
    return fmt::format("{}://{}{}/{}?cluster=true", scheme, user, hosts, endpoint.database);
  }
  return fmt::format("{}-sentinel://{}{}/{}/{}", scheme, user, hosts, endpoint.master, endpoint.database);
}

/// After the options, among which cluster=true may be: who is the cluster.
void apply_nodes(std::vector<HostPort> nodes, Endpoint& endpoint) {
  if (endpoint.cluster.empty()) {
    if (nodes.size() > 1) throw ConfigError("several hosts are the nodes of a cluster: add the option cluster=true");
    return;
  }
  if (!endpoint.sentinels.empty()) {
    throw ConfigError("URL option cluster=true: sentinels name a single master, not a cluster");
  }
  if (nodes.empty()) throw ConfigError("URL option cluster=true: a cluster is reached by its hosts, not by a socket");
  if (endpoint.database != 0) {
    throw ConfigError(fmt::format("URL option cluster=true: a cluster has database 0 alone, and the URL names {}",
                                  endpoint.database));
  }
  endpoint.cluster = std::move(nodes);
}

bool has_user(const Endpoint& endpoint) { return !endpoint.user.empty() || !endpoint.password.empty(); }

}  // namespace

Endpoint apply_url(ManagerOptions& options) {
  const std::string url = options.url;
  ReadUrl found = read(url);
  apply_url_options(found.query, found.has_database, options, found.endpoint);
  apply_nodes(std::move(found.nodes), found.endpoint);
  check_connection(options.pool, options.tls);
  check_sentinel(options.sentinel);
  return found.endpoint;
}

Endpoint parse_url(std::string_view url) {
  ManagerOptions options;
  options.url = url;
  return apply_url(options);
}

std::string format_url(const Endpoint& endpoint) {
  if (!has_user(endpoint)) return assembled(endpoint, "");
  return assembled(endpoint, fmt::format("{}:{}@", percent_encoded(endpoint.user), percent_encoded(endpoint.password)));
}

std::string redacted(std::string_view url) {
  try {
    ReadUrl found = read(url);
    Endpoint& endpoint = found.endpoint;
    if (found.nodes.size() > 1) endpoint.cluster = std::move(found.nodes);
    return assembled(endpoint, has_user(endpoint) ? "***@" : "");
  } catch (const ConfigError&) {
    const std::string_view scheme = url.substr(0, url.find(':'));
    return find_scheme(scheme) && scheme.size() < url.size() ? fmt::format("{}://...", scheme)
                                                             : "(a URL that cannot be read)";
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
