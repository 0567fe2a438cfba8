#pragma once
#include <cstdint>
#include <string>

namespace dsta::cache {
inline namespace v1 {

/// Counts since the start or the last clear_stats(). A value: it does not change after it was taken.
struct CacheStats {
  std::uint64_t hits = 0;            ///< requests answered from the cache, stale ones included
  std::uint64_t misses = 0;          ///< requests that were not
  std::uint64_t sets = 0;            ///< values stored, by hand and by wrapped functions
  std::uint64_t deletes = 0;         ///< keys that del, invalidate or a pattern removed
  std::uint64_t total_requests = 0;  ///< hits + misses
  double hit_rate = 0;               ///< hits / total_requests, 0 to 1; 0 without requests

  std::uint64_t loads = 0;            ///< times a wrapped function ran
  std::uint64_t load_failures = 0;    ///< of these, how many threw
  double load_seconds = 0;            ///< time spent in them
  std::uint64_t coalesced = 0;        ///< callers that waited for another caller's load instead of loading
  std::uint64_t stale_served = 0;     ///< hits that were past their ttl (stale_for)
  std::uint64_t early_refreshes = 0;  ///< refreshes started before the ttl ran out (refresh_ahead, xfetch)
  std::uint64_t fenced = 0;           ///< loaded values not stored: invalidated or refreshed again meanwhile
  std::uint64_t negative_hits = 0;    ///< hits on a remembered empty optional (negative_ttl)
  std::uint64_t rejected = 0;         ///< values not stored: heavier than the store takes
  std::uint64_t codec_errors = 0;     ///< values that could not be encoded or decoded
  std::uint64_t shed = 0;             ///< loads refused because too many were under way
  std::uint64_t invalidations = 0;    ///< tags, patterns, clears and flushes

  std::uint64_t evictions = 0;    ///< entries removed to stay within the budget (whole manager only)
  std::uint64_t expirations = 0;  ///< entries removed after their time (whole manager only)
  std::uint64_t entries = 0;      ///< entries now (whole manager only)
  std::uint64_t bytes = 0;        ///< bytes now, of the budget (whole manager only)

  // Of the shared level; 0 in-process.
  std::uint64_t l2_hits = 0;                ///< of the hits, those that it answered
  std::uint64_t l2_errors = 0;              ///< requests that failed or that the server refused
  std::uint64_t unknown_writes = 0;         ///< writes of which it is not known whether the server executed them
  std::uint64_t l1_suspensions = 0;         ///< times that changes by other processes could no longer be heard of
  std::uint64_t pending_invalidations = 0;  ///< that it has not confirmed yet (now)

  /// `90.91%`; `0.00%` without requests.
  std::string hit_rate_text() const;
  /// One JSON object with every field by its name.
  std::string to_json() const;
};

/// Counts of one wrapped function: what cache_info() returns.
struct FunctionInfo {
  std::string prefix;
  std::string name;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t sets = 0;
  std::uint64_t loads = 0;
  std::uint64_t load_failures = 0;
  std::uint64_t coalesced = 0;
  std::uint64_t stale_served = 0;
  std::uint64_t fenced = 0;
  double load_seconds = 0;
  double hit_rate = 0;
};

namespace detail {
struct Identity;
}
FunctionInfo function_info(const detail::Identity& identity);

}  // namespace v1
}  // namespace dsta::cache
