#pragma once
#include <span>
#include <string>
#include <string_view>

#include "l2/resp/reply.hpp"
#include "l2/resp/request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a server says of its part in replication.
struct ServerRole {
  /// ROLE, which every server knows that sentinels watch, and INFO, for the run.
  static constexpr std::size_t kCommands = 2;
  static void add_request(Request& request);
  /// The replies to them. Where the user may run one of them only, that one must do.
  static ServerRole read(std::span<const Reply> replies);

  enum class Kind : unsigned char { unknown, master, other };
  Kind kind = Kind::unknown;  ///< unknown: it refuses to say
  /// The replication id: that of a master's history. A replica that becomes a master has a new one, and so has a master
  /// that was restarted. Empty: it refuses to say.
  std::string run = {};
};

/// For messages, where a server is not known to be a master.
inline constexpr std::string_view kNotMaster = "the server there is not a master";

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
