#include "l2/client/link_options.hpp"

#include <algorithm>
#include <memory>
#include <thread>

#include "l2/net/tls.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// One connection carries as much as several: requests of many callers share its system calls. With two processors two
/// connections were no faster at 8 threads, and slower by an eighth at 64.
constexpr std::size_t kConnections = 1;

/// For large values as many as there are processors: two carried 1.2 to 1.6 times as much as one with two processors,
/// and four no more than two.
std::size_t most_large_connections() {
  constexpr std::size_t kLeast = 2, kMost = 8;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), kLeast, kMost);
}

}  // namespace

LinkOptions link_options(const Endpoint& endpoint, const ManagerOptions& options) {
  LinkOptions link;
  link.address = {.host = endpoint.host, .port = endpoint.port, .socket_path = endpoint.path};
  link.user = endpoint.user;
  link.password = endpoint.password;
  link.credentials = options.pool.credentials;
  link.database = static_cast<unsigned>(endpoint.database);
  link.connections = std::min(kConnections, options.pool.max_connections);
  link.large_connections = std::min(most_large_connections(), options.pool.max_connections - link.connections);
  link.connect_timeout = options.pool.connect_timeout.value_or(link.connect_timeout);
  link.operation_timeout = options.pool.socket_timeout.value_or(link.operation_timeout);
  link.retry = options.pool.retry_on_timeout;
  link.limits.bytes = options.pool.max_reply_bytes;
  link.log = options.log;
  if (endpoint.transport == Endpoint::Transport::tls) {
    link.connect = [tls = std::make_shared<TlsClient>(options.tls, options.log)](
                       const Address& address, TimePoint deadline, std::string& error) {
      return tls->connect(address, deadline, error);
    };
  }
  return link;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
