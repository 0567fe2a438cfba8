#pragma once
#include <string>

#include <dsta/cache/coherence_mode.hpp>
#include <dsta/cache/fwd.hpp>
#include <dsta/cache/time_span.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The result of check_health. A plain value.
struct Health {
  bool healthy = false;  ///< a value was written, read and removed
  std::string backend;   ///< "memory" or "redis"
  TimeSpan latency;      ///< duration of a write, a read and a removal together
  std::string error;     ///< empty when healthy; otherwise the step that failed and why
  /// How L1 learns of changes by others; off without a server.
  CoherenceMode coherence = CoherenceMode::off;
  /// Empty, or what the server does not offer and what that costs, although the cache is healthy; masters of a cluster
  /// that are out of reach, and slots that have none.
  std::string warning;
  /// The server's address, or its socket; with Sentinel the master's, empty when never reached; of a cluster the
  /// masters', with those that are out of reach, and how many slots have none.
  std::string server;
  std::string topology;  ///< "single", "sentinel" or "cluster"; empty without a server
};

/// Writes, reads and removes a value of its own; with a server, at the server. Takes at most one socket_timeout.
/// Changes no statistics. Never throws. Thread-safe.
[[nodiscard]] Health check_health(CacheManager& cache);

}  // namespace v1
}  // namespace dsta::cache
