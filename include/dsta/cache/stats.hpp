#pragma once
#include <cstdint>
#include <string>

#include <dsta/cache/coherence_mode.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Counts since the start or the last clear_stats(). A plain value: a snapshot.
struct CacheStats {
  std::uint64_t hits = 0;            ///< requests answered from the cache, stale ones included
  std::uint64_t misses = 0;          ///< requests not answered from the cache
  std::uint64_t sets = 0;            ///< values stored, by manual calls and by wrapped functions
  std::uint64_t deletes = 0;         ///< keys that del, invalidate or a pattern removed
  std::uint64_t total_requests = 0;  ///< hits + misses
  double hit_rate = 0;               ///< hits / total_requests, 0 to 1; 0 without requests

  std::uint64_t loads = 0;            ///< times a wrapped function ran
  std::uint64_t load_failures = 0;    ///< of these, how many threw
  double load_seconds = 0;            ///< time spent in them, in seconds
  std::uint64_t coalesced = 0;        ///< callers that waited for another caller's load (single flight)
  std::uint64_t stale_served = 0;     ///< hits that were past their ttl (stale_for)
  std::uint64_t early_refreshes = 0;  ///< refreshes started before the ttl ran out (refresh_ahead, xfetch)
  std::uint64_t fenced = 0;           ///< loaded values not stored: invalidated or refreshed again during the load
  std::uint64_t negative_hits = 0;    ///< hits on a cached empty optional (negative_ttl)
  std::uint64_t rejected = 0;         ///< values not stored (too large, or of too long a key); counters not changed
  std::uint64_t codec_errors = 0;     ///< values that could not be encoded or decoded
  std::uint64_t shed = 0;             ///< loads refused because too many were running (OverloadError)
  std::uint64_t invalidations = 0;    ///< of calls (invalidate), tags, patterns, clears and flushes

  std::uint64_t evictions = 0;    ///< entries removed to stay within the budget (whole manager only)
  std::uint64_t expirations = 0;  ///< entries removed after their ttl and stale_for (whole manager only)
  std::uint64_t entries = 0;      ///< entries now (whole manager only)
  std::uint64_t bytes = 0;        ///< bytes now, of the budget (whole manager only)

  // L2; 0 or empty without a server, and of one prefix.
  std::uint64_t l2_hits = 0;                ///< hits that the server answered
  std::uint64_t l2_errors = 0;              ///< requests that failed or that the server refused
  std::uint64_t unknown_writes = 0;         ///< writes with an unknown outcome
  std::uint64_t l1_suspensions = 0;         ///< times that the invalidation channel went down
  std::uint64_t pending_invalidations = 0;  ///< invalidations that the server has not confirmed (now)
  /// How L1 learns of changes by others (now); off without a server.
  CoherenceMode coherence = CoherenceMode::off;
  std::uint64_t master_changes = 0;  ///< times that another master, or a restarted one, was found (Sentinel, Cluster)
  std::uint64_t connections = 0;     ///< connections for reads and writes (now), without that of the channel
  std::uint64_t large_connections = 0;  ///< of these, those for large values (now)
  std::uint64_t connections_made = 0;   ///< times that one of them was made
  std::string server = {};              ///< the server's address (now); with Sentinel the master's
  std::string topology = {};            ///< "single" or "sentinel" (now)

  /// `90.91%`; `0.00%` without requests.
  [[nodiscard]] std::string hit_rate_text() const;
  /// One JSON object with every field by its name.
  [[nodiscard]] std::string to_json() const;
};

/// Counts of one wrapped function, as cache_info() returns them. The counts mean what they mean in CacheStats.
struct FunctionInfo {
  std::string prefix;               ///< of its options
  std::string name;                 ///< of its options, or the function's own
  std::uint64_t hits = 0;           ///< calls answered from the cache, stale ones included
  std::uint64_t misses = 0;         ///< calls not answered from the cache
  std::uint64_t sets = 0;           ///< values stored
  std::uint64_t loads = 0;          ///< runs of the function or of its bulk loader
  std::uint64_t load_failures = 0;  ///< runs that threw
  std::uint64_t coalesced = 0;      ///< callers that waited for another caller's load
  std::uint64_t stale_served = 0;   ///< hits past their ttl
  std::uint64_t fenced = 0;         ///< loaded values not stored, because of an invalidation or a later refresh
  double load_seconds = 0;          ///< time spent in loads, in seconds
  double hit_rate = 0;              ///< hits / (hits + misses), 0 to 1; 0 without calls
};

namespace detail {
struct Identity;
}
/// For `cached`.
FunctionInfo function_info(const detail::Identity& identity);

}  // namespace v1
}  // namespace dsta::cache
