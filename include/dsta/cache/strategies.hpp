#pragma once
#include <chrono>
#include <string_view>

#include <dsta/cache/manager.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Ready-made options for the four kinds of data a trading service caches. Thread-safe; the manager must outlive it,
/// the wrappers need neither.
///
/// Each preset has a prefix of its own. One function per preset needs no name; further ones do:
///     Decorator ticker = strategies.api_response_cache(60s, "ticker")(fetch_ticker);
class CacheStrategies {
 public:
  explicit CacheStrategies(CacheManager& cache) : cache_(cache) {}

  /// What an exchange's API answered. Prefix `api`, 60 s.
  Decorator api_response_cache(OptionalDuration ttl = std::chrono::seconds(60), std::string_view name = {}) const {
    return cache_.cached(ttl, "api", name);
  }
  /// What a query returned. Prefix `db`, 300 s.
  Decorator database_query_cache(OptionalDuration ttl = std::chrono::seconds(300), std::string_view name = {}) const {
    return cache_.cached(ttl, "db", name);
  }
  /// What was worked out of candles. Prefix `indicator`, 1 h.
  Decorator indicator_cache(OptionalDuration ttl = std::chrono::hours(1), std::string_view name = {}) const {
    return cache_.cached(ttl, "indicator", name);
  }
  /// What belongs to a user's session. Prefix `session`, 30 min.
  Decorator session_cache(OptionalDuration ttl = std::chrono::minutes(30), std::string_view name = {}) const {
    return cache_.cached(ttl, "session", name);
  }

 private:
  CacheManager& cache_;
};

}  // namespace v1
}  // namespace dsta::cache
