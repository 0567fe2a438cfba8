/// What a manager is made with: the URL laid over the options, checked.
#include "engine/manager_options.hpp"

#include <fmt/format.h>

#include <dsta/cache/clock.hpp>

#include "entry/presets.hpp"
#include "l2/client/url.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

ManagerOptions checked(ManagerOptions options) {
  const Endpoint endpoint = apply_url(options);
  const bool has_server = endpoint.transport != Endpoint::Transport::memory;
  if (!options.clock) options.clock = system_clock();
  if (!options.l1.enabled && !has_server) {
    throw ConfigError("l1.enabled is false and there is no Redis URL: nothing could be stored");
  }
  if (options.pool.credentials && !(endpoint.user.empty() && endpoint.password.empty())) {
    throw ConfigError("pool.credentials and the URL both say who to log in as: leave user and password out of the URL");
  }
  // Not repeated: it may come from a URL.
  if (options.space.find_first_of(":*?[]\\{} \t\r\n") != std::string::npos) {
    throw ConfigError("space must not contain ':', blanks, braces or glob characters");
  }
  const auto check_period = [](OptionalDuration& given, OptionalDuration standard, const char* name,
                               Duration most = std::chrono::minutes(1), const char* most_text = "1 min") {
    if (!given.has_value()) given = standard;
    if (given.value_or({}) <= Duration::zero() || given.value_or({}) > most) {
      throw ConfigError(fmt::format("l1.{}: give more than 0 and at most {}", name, most_text));
    }
  };
  check_period(options.l1.ping_period, L1Options{}.ping_period, "ping_period");
  check_period(options.l1.max_stale_age, L1Options{}.max_stale_age, "max_stale_age");
  check_period(options.l1.untracked_ttl, L1Options{}.untracked_ttl, "untracked_ttl", std::chrono::hours(24), "24 h");
  if (has_server && options.space.empty()) {
    throw ConfigError("space is empty: the server may hold other keys, so the cache needs a name for its own");
  }
  resolve(options.defaults, {});
  refuse_names(options.defaults, "ManagerOptions::defaults", {});
  return options;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
