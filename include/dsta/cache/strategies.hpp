#pragma once
#include <chrono>
#include <string_view>

#include <dsta/cache/manager.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Ready-made options for four kinds of data of a trading service. Thread-safe. The manager must outlive it; wrappers
/// may outlive both. Unset, a ttl is the default of the prefix or the manager.
///
/// Each preset has a prefix of its own. The first function of a preset needs no name; further functions do, or wrapping
/// throws ConfigError:
///     Decorator ticker = strategies.api_response_cache(60s, "ticker")(fetch_ticker);
class CacheStrategies {
 public:
  /// Presets of this manager.
  explicit CacheStrategies(CacheManager& cache) : cache_(cache) {}

  /// Responses of an exchange's API. Prefix `api`, default ttl 60 s.
  [[nodiscard]] Decorator api_response_cache(OptionalDuration ttl = std::chrono::seconds(60),
                                             std::string_view name = {}) const {
    return cache_.cached(ttl, "api", name);
  }
  /// Results of queries. Prefix `db`, default ttl 300 s.
  [[nodiscard]] Decorator database_query_cache(OptionalDuration ttl = std::chrono::seconds(300),
                                               std::string_view name = {}) const {
    return cache_.cached(ttl, "db", name);
  }
  /// Values computed from candles. Prefix `indicator`, default ttl 1 h.
  [[nodiscard]] Decorator indicator_cache(OptionalDuration ttl = std::chrono::hours(1),
                                          std::string_view name = {}) const {
    return cache_.cached(ttl, "indicator", name);
  }
  /// Data of a user's session. Prefix `session`, default ttl 30 min.
  [[nodiscard]] Decorator session_cache(OptionalDuration ttl = std::chrono::minutes(30),
                                        std::string_view name = {}) const {
    return cache_.cached(ttl, "session", name);
  }

 private:
  CacheManager& cache_;
};

}  // namespace v1
}  // namespace dsta::cache
