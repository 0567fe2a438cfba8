#include "l2/client/address_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr std::size_t kLongestHostName = 253;  // RFC 1035

bool is_host(std::string_view text, std::string_view also) {
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || also.find(c) != also.npos;
  };
  return !text.empty() && text.size() <= kLongestHostName && std::ranges::all_of(text, fits);
}

std::string bracketed(std::string_view host) {
  return host.find(':') != host.npos ? fmt::format("[{}]", host) : std::string(host);
}

}  // namespace

bool read_host_port(std::string_view text, HostPort& place) {
  std::string_view host = text.substr(0, text.find(':')), rest = text.substr(host.size());
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == text.npos) return false;
    host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  }
  if (!is_host(host, text.starts_with('[') ? ":%" : "")) return false;
  place = {.host = std::string(host), .port = 0};
  if (rest.empty()) return true;
  if (rest[0] != ':') return false;
  rest.remove_prefix(1);
  const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), place.port);
  return error == std::errc{} && stop == rest.data() + rest.size() && place.port != 0;
}

bool read_host_port(std::string_view host, std::string_view port, HostPort& place) {
  return read_host_port(fmt::format("{}:{}", bracketed(host), port), place);
}

std::string host_port_text(const HostPort& place) {
  const std::string host = bracketed(place.host);
  return place.port == 0 ? host : fmt::format("{}:{}", host, place.port);
}

AddressMap::AddressMap(Entries entries) {
  for (const auto& [announced, reachable] : entries) {
    std::pair<HostPort, HostPort> entry;
    if (!read_host_port(announced, entry.first) || !read_host_port(reachable, entry.second) ||
        (entry.first.port == 0) != (entry.second.port == 0)) {
      throw ConfigError(
          "address_map: expected announced=reachable, where both are host:port, or both a host; an IPv6 address stands "
          "in brackets");
    }
    const auto same = [&](const auto& other) { return other.first == entry.first; };
    if (std::ranges::any_of(entries_, same)) throw ConfigError("address_map: an announced address is given twice");
    entries_.push_back(std::move(entry));
  }
}

Address AddressMap::reachable(const HostPort& announced) const {
  const auto find = [&](const HostPort& wanted) {
    return std::ranges::find(entries_, wanted, &std::pair<HostPort, HostPort>::first);
  };
  if (const auto exact = find(announced); exact != entries_.end()) {
    return {.host = exact->second.host, .port = exact->second.port, .socket_path = {}};
  }
  const auto host = find({.host = announced.host, .port = 0});
  return {
      .host = host != entries_.end() ? host->second.host : announced.host, .port = announced.port, .socket_path = {}};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
