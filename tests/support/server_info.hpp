#pragma once
#include <cstdint>
#include <string>

#include "redis_server.hpp"

namespace dsta::cache::testing_support {

/// A number in what INFO says: behind "field:" or "field=", 0 when it is not there.
inline std::uint64_t info_number(RedisServer& server, const std::string& section, const std::string& field) {
  const std::string info = server.command({"INFO", section});
  const std::size_t at = info.find(field);
  return at == std::string::npos ? 0 : std::stoull(info.substr(at + field.size()));
}
inline std::uint64_t calls_of(RedisServer& server, const std::string& command) {
  return info_number(server, "commandstats", "cmdstat_" + command + ":calls=");
}
/// Asking makes one, too.
inline std::uint64_t connections_made(RedisServer& server) {
  return info_number(server, "stats", "total_connections_received:");
}

}  // namespace dsta::cache::testing_support
