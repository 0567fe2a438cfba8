#pragma once
#include <string>

#include <dsta/cache/duration.hpp>
#include <dsta/cache/fwd.hpp>

namespace dsta::cache {
inline namespace v1 {

/// What check_health found.
struct Health {
  bool healthy = false;
  std::string backend;  ///< "memory" or "redis"
  Duration latency{};   ///< of one write, read and removal
  std::string error;    ///< empty when healthy: what failed
};

/// Writes, reads and removes a value of its own, past the statistics. Never throws. Thread-safe.
Health check_health(CacheManager& cache);

}  // namespace v1
}  // namespace dsta::cache
