// What a manager is made from, and how options add up.
#include <dsta/cache.hpp>

#include <mutex>
#include <string>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;
using dsta::cache::L1Options, dsta::cache::ManagerOptions, dsta::cache::Log, dsta::cache::LogLevel;
using dsta::cache::PoolOptions, dsta::cache::SentinelOptions, dsta::cache::TlsOptions;

// [helper]
template <class F>  // a helper that wraps for others passes on where it was called: errors name that place
auto cached_for_a_minute(dsta::cache::CacheManager& cache, std::string prefix, F function,
                         dsta::cache::CodePlace where = dsta::cache::CodePlace::current()) {
  return cache.cached({.ttl = 60s, .prefix = std::move(prefix)}, std::move(function), where);
}
// [/helper]

int main() {
  std::vector<std::string> messages;
  // [manager]
  const auto keep = [&](LogLevel, std::string_view message) { messages.emplace_back(message); };
  const ManagerOptions options{
      .space = "shop",                                       // default dsta
      .default_ttl = 10min,                                  // default 300 s
      .defaults = {.jitter = 0.05},                          // of every entry
      .l1 = L1Options{.max_bytes = std::size_t{256} << 20},  // default 64 MiB
      .clock = dsta::cache::system_clock(),                  // the default
      .executor = dsta::cache::thread_pool(2, 100),          // default 4 threads, 1024 waiting
      .log = Log{.level = LogLevel::info, .sink = keep},     // default warnings and errors, to stderr
  };
  dsta::cache::CacheManager cache{options};
  dsta::cache::CacheManager small{"memory:?max_bytes=16MiB&max_entries=10000&default_ttl=90s"};  // by URL
  // [/manager]
  check(small.options().l1.max_bytes == std::size_t{16} << 20 && small.options().l1.enabled, "16 MiB");
  check(small.set("k", 1) && small.get_ttl("k") <= 90s, "90 s");

  // [server]
  const ManagerOptions server{
      .url = "rediss://app:p%40ss@cache.example:6380/0?socket_timeout=200ms",
      .pool = PoolOptions{.connect_timeout = 2s, .socket_timeout = 1s},  // default 1 s, 1 s; the URL's 200 ms win
      .tls = TlsOptions{.ca_file = "/etc/shop/ca.pem"},                  // default: the system's authorities
  };
  // [/server]
  // [credentials]
  std::mutex vault;
  std::string token = "issued at nine";  // replaced by another thread, under the mutex
  const ManagerOptions rotated{
      .url = "rediss://cache.example:6380",
      .pool = PoolOptions{.credentials =
                              [&] {
                                const std::lock_guard lock(vault);
                                return dsta::cache::Credentials{.user = "app", .password = token};
                              }},
      .tls = TlsOptions{.cert_file = "/run/shop/tls.crt", .key_file = "/run/shop/tls.key"},  // read when they change
  };
  // [/credentials]
  check(rotated.pool.credentials().password == token, "each connection asks");
  // [sentinel]
  const ManagerOptions group{
      .url = "redis-sentinel://app:p%40ss@sentinel1,sentinel2,sentinel3/mymaster",  // port 26379
      .sentinel = SentinelOptions{.password = "other",                              // the sentinels have their own
                                  .address_map = {{"10.0.0.7:6379", "203.0.113.7:7007"}},  // announced, and from here
                                  .failover_window = 30s},                                 // the default
  };
  // [/sentinel]
  check(group.sentinel.address_map.size() == 1, "one server that is seen under another address");
  std::string refused;
  try {
    dsta::cache::CacheManager remote{server};
  } catch (const dsta::cache::ConfigError& error) {
    refused = error.what();
  }
  check(!refused.empty() && refused.find("p%40ss") == std::string::npos,
        "a certificate that cannot be read is named, the password is not");

  // [cascade]
  cache.set_preset("api", {.ttl = 60s, .tags = {"api"}});
  cache.set("a", 1);                                                   // 10 min: the manager's
  cache.set("b", 1, {.prefix = "api"});                                // 60 s: the prefix's
  cache.set("c", 1, {.ttl = 5s, .prefix = "api", .tags = {"short"}});  // 5 s: the call's; both tags
  check(cache.get_ttl("a") > 9min && cache.get_ttl("api:b") <= 60s && cache.get_ttl("api:c") <= 5s, "the nearest wins");
  cache.invalidate_tag("api");
  check(cache.exists("a") && !cache.exists("api:b") && !cache.exists("api:c"), "tags add up");
  // [/cascade]

  const auto merged = dsta::cache::merge({.ttl = 60s, .tags = {"x"}}, {.tags = {"y"}, .level = dsta::cache::Level::l1});
  check(merged.ttl == dsta::cache::OptionalDuration(60s) && merged.tags.size() == 2 && !merged.compress_above, "merge");

  auto twice = cached_for_a_minute(cache, "twice", [](int x) { return x * 2; });
  check(twice(2) == 4, "wrapped by a helper");
  cache.core()->log(LogLevel::info, "hello");
  check(messages.size() == 1, "the log's sink");

  const std::shared_ptr<dsta::cache::Clock> clock = cache.options().clock;
  check(clock == dsta::cache::system_clock() && clock->now() > dsta::cache::TimePoint{}, "the clock");
  const dsta::cache::OptionalDuration unset;
  const dsta::cache::Duration second = 1s;  // nanoseconds
  check(!unset.has_value() && unset.value_or(second) == 1000ms, "durations are nanoseconds");
}
