#pragma once
#include <string_view>

namespace dsta::cache {
inline namespace v1 {

/// How L1 learns what other processes change at the server. As an option (L1Options::coherence) what is to be tried, in
/// statistics and in Health what is in use.
enum class CoherenceMode {
  /// As an option: tracking, or announcements where the server refuses that, else off. In use: none of them yet, since
  /// the server was not reached or has not answered.
  automatic,
  /// The server reports each change, whoever made it (CLIENT TRACKING).
  tracking,
  /// Processes of this library announce their changes to each other (PUBLISH). Changes by other programs are not heard:
  /// L1Options::untracked_ttl is the bound.
  announcements,
  /// Nothing is heard, so L1 keeps no copies of what L2 has.
  off,
};

/// The name of the enumerator. Thread-safe.
[[nodiscard]] constexpr std::string_view to_string(CoherenceMode mode) {
  switch (mode) {
    case CoherenceMode::automatic:
      break;
    case CoherenceMode::tracking:
      return "tracking";
    case CoherenceMode::announcements:
      return "announcements";
    case CoherenceMode::off:
      return "off";
  }
  return "automatic";
}

}  // namespace v1
}  // namespace dsta::cache
