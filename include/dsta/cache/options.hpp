#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dsta/cache/duration.hpp>
#include <dsta/cache/fwd.hpp>
#include <dsta/cache/log.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Which levels a call may use.
enum class Level { both, l1, l2 };

/// Options of one entry, of a wrapper, or of a prefix. Every field may be left out; what is left out comes from the
/// next wider scope: library < manager < prefix preset < wrapper < call. Tags add up over the scopes. The order of the
/// fields is that of the table in docs/freshness.md, and does not change: C++ wants initializers in this order.
struct EntryOptions {
  /// How long a value is fresh. Default 300 s (ManagerOptions::default_ttl). Zero or less: do not store.
  OptionalDuration ttl = {};
  /// First part of the key, as given. Default none.
  std::string prefix = {};
  /// Name of the wrapped function, the key's part after the prefix. Default none: the prefix alone names it.
  std::string name = {};
  /// Labels by which entries are invalidated together. In a wrapper's tags `{0}`, `{1}`… stand for its arguments:
  /// `.tags = {"symbol:{0}"}`. ConfigError where one is empty or begins with a byte 1.
  std::vector<std::string> tags = {};
  /// How long past its ttl a value may still be served: at once while one refresh runs, and when a load fails.
  /// Default 0: never.
  OptionalDuration stale_for = {};
  /// After a refresh failed, how long the value that is there is served before the next attempt. Default 5 s.
  OptionalDuration refresh_backoff = {};
  /// Fraction of the ttl (0 < f < 1) after which a hit starts one refresh in the background. Default 0: never.
  std::optional<double> refresh_ahead = {};
  /// XFetch: a refresh starts ahead of the ttl's end by a random time around `xfetch` × how long the load took, so that
  /// values that are expensive to load are refreshed earlier and not all at once. 1 is the usual factor. Default 0:
  /// never.
  std::optional<double> xfetch = {};
  /// Fraction of the ttl (0 to 1) by which each entry's ttl is shortened at random, so that entries stored together do
  /// not expire together. Default 0.
  std::optional<double> jitter = {};
  /// ttl of an empty std::optional returned by a wrapped function. Default: an empty optional is not stored.
  OptionalDuration negative_ttl = {};
  /// An entry that nobody reads for so long expires. Default 0: never. In-process level only.
  OptionalDuration idle_ttl = {};
  /// How long a caller that finds a stale value waits for the refresh before it takes the stale one. Default 0: not at
  /// all. Needs stale_for. Batches by a bulk_loader do not wait.
  OptionalDuration soft_timeout = {};
  /// How long a caller waits for a load before LoadTimeoutError. Default 0: no limit. A late result is still stored.
  OptionalDuration load_timeout = {};
  /// Values of at least so many encoded bytes are compressed on their way to Redis. Default: never. Ignored in-process.
  std::optional<std::size_t> compress_above = {};
  /// Which levels to use. Default both. An in-process cache has one level and ignores it.
  std::optional<Level> level = {};
  /// Keep at the shared level nothing but what the codec writes, so that other programs can read and write it: JSON
  /// text, say. Such a value has a ttl and no more: no tags, no staleness; and it is never kept in-process. Its load
  /// has a lease between processes, under a key of its own. An in-process cache ignores this. Default false.
  std::optional<bool> raw = {};
};

/// `over` laid over `base`: a field that `over` sets wins, tags are joined.
EntryOptions merge(const EntryOptions& base, const EntryOptions& over);

/// How many loads of one prefix may run at once: see CacheManager::limit_loads.
struct LoadLimit {
  /// Loads that run at once. Default 8.
  std::size_t concurrent = 8;
  /// Calls that wait for a place; one more gets OverloadError. Default 1024.
  std::size_t queue = 1024;
};

/// What L1 does while the invalidation channel is down, so that changes by other processes are not known.
enum class OnDisconnect {
  flush,   ///< it is emptied at once and stays empty
  bypass,  ///< it is not used, and emptied when the channel is back: for short interruptions of large stores
  serve,   ///< it is used for `max_stale_age` after the channel's last sign of life, then it is emptied
};

/// The in-process store.
struct L1Options {
  /// Budget in bytes for keys, values and the tables that find them. Default 64 MiB.
  std::size_t max_bytes = std::size_t{64} << 20;
  /// Bound on the number of entries. Default 0: no bound but max_bytes.
  std::size_t max_entries = 0;
  /// False: no in-process level (only with a Redis URL). Default true.
  bool enabled = true;
  /// With a Redis URL, while the invalidation channel is down. Default flush.
  OnDisconnect on_disconnect = OnDisconnect::flush;
  /// For OnDisconnect::serve: how long at most a value that another process has changed is served. Default 1 s. Over 0,
  /// at most 1 min.
  OptionalDuration max_stale_age = std::chrono::seconds(1);
  /// How often the channel is checked; its loss is noticed within two of these. Default 1 s. Over 0, at most 1 min.
  OptionalDuration ping_period = std::chrono::seconds(1);
};

/// The connections to the shared level.
struct PoolOptions {
  /// Has no effect yet: all threads share one connection. A value other than 1 and the default is logged as a warning
  /// by the constructor. From 1 to 10000. Default 50.
  std::size_t max_connections = 50;
  /// How long making a connection may take: name resolution, connect, TLS, AUTH. Default 1 s. Over 0, at most 24 h.
  OptionalDuration connect_timeout = std::chrono::seconds(1);
  /// How long one operation may take, all of it: waiting for a connection, making one, sending, the reply and a retry.
  /// Default 1 s. Over 0, at most 24 h.
  OptionalDuration socket_timeout = std::chrono::seconds(1);
  /// Try once more, within socket_timeout, what may safely be done twice. Default true.
  bool retry_on_timeout = true;
  /// A reply longer than so many bytes is a fault, and its connection is closed. Default 512 MiB. At least 1 KiB.
  std::size_t max_reply_bytes = std::size_t{512} << 20;
};

/// TLS to the shared level, of `rediss://` and `valkeys://` URLs. The files are in PEM.
struct TlsOptions {
  /// Certificates of the authorities that are trusted. Default none: the system's.
  std::string ca_file = {};
  /// This client's certificate. Default none. Needs key_file.
  std::string cert_file = {};
  /// The private key of cert_file. Default none.
  std::string key_file = {};
  /// The name that the server's certificate must have, also sent as SNI. Default none: the URL's host.
  std::string server_name = {};
  /// Check the server's certificate and name. Default true. False: whoever answers is trusted.
  bool verify = true;
};

/// What a CacheManager is built from. Every field has a working default: `CacheManager cache;` is an in-process cache.
struct ManagerOptions {
  /// Where the shared level lives: "redis://user:password@host:6379/0?socket_timeout=200ms". Empty or "memory:": no
  /// server. An option in it wins over the field below that it names; an unknown one is a ConfigError that names the
  /// known ones. Default empty. Schemes and options: docs/redis.md.
  std::string url = {};
  /// First part of every key at the shared level. Default "dsta".
  std::string space = "dsta";
  /// ttl where none is given. Default 300 s.
  OptionalDuration default_ttl = std::chrono::seconds(300);
  /// Defaults of all other entry options.
  EntryOptions defaults = {};
  L1Options l1 = {};
  PoolOptions pool = {};
  TlsOptions tls = {};
  /// Time. Default: the system's monotonic clock. See testing.hpp for a ManualClock.
  std::shared_ptr<Clock> clock = {};
  /// Where background loads run. Default: a bounded pool of the manager's own, started when first needed.
  std::shared_ptr<Executor> executor = {};
  /// Where messages go. Default: warnings and errors to stderr.
  Log log = {};
};

}  // namespace v1
}  // namespace dsta::cache
