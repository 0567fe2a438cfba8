#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "l2/net/stream.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A host and a port; port 0: none is named.
struct HostPort {
  std::string host = {};  ///< an IPv6 address without its brackets
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

/// `host`, `host:port`, `[::1]`, `[::1]:port`. False: it is none of these.
bool read_host_port(std::string_view text, HostPort& place);
/// The two as a sentinel announces them: an IPv6 address without its brackets.
bool read_host_port(std::string_view host, std::string_view port, HostPort& place);
/// The inverse.
std::string host_port_text(const HostPort& place);

/// Where servers are reached from here that announce other addresses: behind a NAT, or from outside of a container's
/// network. Immutable.
class AddressMap {
 public:
  using Entries = std::span<const std::pair<std::string, std::string>>;
  /// Throws ConfigError when one is no address, names a port on one side only, or maps what another has mapped already.
  explicit AddressMap(Entries entries = {});

  Address reachable(const HostPort& announced) const;

 private:
  std::vector<std::pair<HostPort, HostPort>> entries_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
