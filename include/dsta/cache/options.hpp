#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/coherence_mode.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/fwd.hpp>
#include <dsta/cache/log.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Which levels a call may use.
enum class Level {
  both,  ///< L1 and L2
  l1,    ///< L1 only: a value never reaches the server
  l2,    ///< L2 only: a value is never kept in L1
};

namespace detail {
/// For those who write `.key_prefix = "api"`, as in Python.
struct NamedPrefix {
  constexpr NamedPrefix() = default;
  template <class Text>
  constexpr NamedPrefix(const Text&) {
    static_assert(always_false<Text>, "key_prefix is named prefix here: write .prefix = \"api\"");
  }
};
}  // namespace detail

/// Options of one entry, of a wrapper, or of a prefix. Every field is optional. A field that is not set comes from the
/// next wider scope: library < manager < prefix preset < wrapper < call. Tags add up over the scopes. The order of the
/// fields is that of the table in docs/freshness.md and does not change, because C++ requires initializers in this
/// order.
struct EntryOptions {
  /// How long a value is fresh. Default 300 s (ManagerOptions::default_ttl). Zero or less: do not store.
  OptionalDuration ttl = {};
  /// First part of the key, as given. Default none. Only of a wrapper or a call, like `name`.
  std::string prefix = {};
  /// Name of the wrapped function, the key's part after the prefix. Default none: the prefix alone names it.
  std::string name = {};
  /// Not an option: says that `prefix` is its name here.
  [[no_unique_address]] detail::NamedPrefix key_prefix = {};
  /// Labels that invalidate many entries together. In a wrapper's tags `{0}` to `{9}` stand for its arguments:
  /// `.tags = {"symbol:{0}"}`. Default none. A tag that is empty or begins with the byte 0x01 is a ConfigError.
  std::vector<std::string> tags = {};
  /// How long past its ttl a value may still be served: while one refresh runs (stale-while-revalidate), and when the
  /// refresh fails (stale-if-error). Default 0: never.
  OptionalDuration stale_for = {};
  /// Pause after a failed refresh before the next attempt; the existing value is served meanwhile. Default 5 s.
  OptionalDuration refresh_backoff = {};
  /// Early refresh: fraction of the ttl (0 < f < 1) after which a hit starts one refresh in the background. Default 0:
  /// never.
  std::optional<double> refresh_ahead = {};
  /// Early refresh by XFetch: a refresh starts before the end of the ttl by a random time around `xfetch` × the
  /// duration of the load. So expensive values are refreshed earlier, and not all at once. 1 is the usual factor.
  /// Default 0: never.
  std::optional<double> xfetch = {};
  /// Fraction of the ttl (0 to 1) by which each entry's ttl is shortened at random, so that entries stored together do
  /// not expire together. Default 0.
  std::optional<double> jitter = {};
  /// Negative caching: the ttl of an empty std::optional that a wrapped function returned. Default: not stored.
  /// Zero or less: not stored.
  OptionalDuration negative_ttl = {};
  /// An entry that nobody reads for this time expires. Default 0: never. L1 only.
  OptionalDuration idle_ttl = {};
  /// How long a caller that finds a stale value waits for the refresh before it takes the stale value. Default 0: it
  /// does not wait. Needs stale_for. Batches by a bulk_loader do not wait.
  OptionalDuration soft_timeout = {};
  /// How long a caller waits for a load before LoadTimeoutError. Default 0: no limit. A late result is still stored.
  OptionalDuration load_timeout = {};
  /// Values of at least this many encoded bytes are compressed at L2. Default: never. No effect without a server.
  std::optional<std::size_t> compress_above = {};
  /// Which levels to use. Default both. No effect without a server.
  std::optional<Level> level = {};
  /// Store at L2 only what the codec writes, so that other programs can read and write it, for example JSON text. Such
  /// a value has a ttl, but no tags and no stale time, and is not kept in L1. The lease of its load is a separate key.
  /// Default false. No effect without a server.
  std::optional<bool> raw = {};
};

namespace detail {
/// The default of a call's `options`: building an EntryOptions for each call costs as much as a hit. In the library.
extern const EntryOptions kNoOptions;
}  // namespace detail

/// `over` laid over `base`: a field that `over` sets wins, tags are joined.
[[nodiscard]] EntryOptions merge(const EntryOptions& base, const EntryOptions& over);

/// The load limit of one prefix: see CacheManager::limit_loads.
struct LoadLimit {
  /// Loads that run at once. Default 8. At least 1.
  std::size_t concurrent = 8;
  /// Calls that wait for a place; the next gets OverloadError. Default 1024.
  std::size_t queue = 1024;
};

/// What L1 does while the invalidation channel is down and changes by other processes do not arrive.
enum class OnDisconnect {
  flush,   ///< it is emptied at once and stays empty
  bypass,  ///< it is not used, and is emptied when the channel is up again: for short interruptions of large stores
  serve,   ///< it is used for `max_stale_age` after the last sign of life of the channel, then it is emptied
};

/// L1, the in-process store.
struct L1Options {
  /// Budget in bytes for keys, values, tags and tables. Default 64 MiB.
  std::size_t max_bytes = std::size_t{64} << 20;
  /// Maximum number of entries. Default 0: limited only by max_bytes.
  std::size_t max_entries = 0;
  /// False: no L1 (only with the URL of a server). Default true.
  bool enabled = true;
  /// What L1 does while the invalidation channel is down. Default flush. No effect without a server.
  OnDisconnect on_disconnect = OnDisconnect::flush;
  /// For OnDisconnect::serve: the longest time for which a value that another process changed is served. Default 1 s.
  /// Over 0, at most 1 min.
  OptionalDuration max_stale_age = std::chrono::seconds(1);
  /// How often the channel is pinged; a silent loss is detected within two of these. Default 1 s. Over 0, at most 1
  /// min.
  OptionalDuration ping_period = std::chrono::seconds(1);
  /// How L1 learns what other processes change at the server. Default automatic: as the server allows. A mode that is
  /// named is the only one that is tried. A process of CoherenceMode::announcements announces its changes in any case,
  /// the others where somebody listens. No effect without a server.
  CoherenceMode coherence = CoherenceMode::automatic;
  /// The longest time for which L1 keeps a copy of what L2 has where only announcements are heard
  /// (CoherenceMode::announcements): so long a change by another program may go unseen. Default 5 s. Over 0, at most
  /// 24 h.
  OptionalDuration untracked_ttl = std::chrono::seconds(5);
};

/// Who to log in as at the server.
struct Credentials {
  /// Empty: the server's default user.
  std::string user = {};
  /// Empty: none. Never logged.
  std::string password = {};
};

/// The connections to L2.
struct PoolOptions {
  /// The most connections of the manager for reads and writes; the invalidation channel and short-lived probes are not
  /// counted. One carries all requests of all threads but those of large values (256 KiB and more), which get up to as
  /// many as there are processors (2 to 8), made when needed and ended when idle. 1: all share one. From 1 to 10000.
  /// With a cluster, of each master. Default 50.
  std::size_t max_connections = 50;
  /// Deadline of a connection attempt: name resolution, connect, TLS, AUTH. Default 1 s. Over 0, at most 24 h.
  OptionalDuration connect_timeout = std::chrono::seconds(1);
  /// Deadline of a whole operation: waiting for a connection, connecting, sending, the reply and a retry. Default 1 s.
  /// Over 0, at most 24 h.
  OptionalDuration socket_timeout = std::chrono::seconds(1);
  /// Retry once, within socket_timeout, requests that are safe to repeat. Default true.
  bool retry_on_timeout = true;
  /// A longer value in a reply, or a reply of many values that is longer than this and 64 MiB, is an error, and its
  /// connection is closed. Default 512 MiB. At least 1 KiB.
  std::size_t max_reply_bytes = std::size_t{512} << 20;
  /// Who to log in as, asked before each connection is made: for passwords and tokens that change while the program
  /// runs. Called on any thread, by several at once, with no lock held; it must not use the manager. The connection's
  /// deadline goes on meanwhile. An exception fails the connection attempt; its text is not logged. Default none: as
  /// the URL says. With a user or password in the URL, too, it is a ConfigError. Not for sentinels.
  std::function<Credentials()> credentials = {};
};

/// TLS to L2, for `rediss://` and `valkeys://` URLs. The files are in PEM format. Those that were replaced are read
/// again before the next connection is made; where the new ones cannot be used, the former are, and a warning says so.
struct TlsOptions {
  /// Certificates of the trusted authorities. Default none: the system's.
  std::string ca_file = {};
  /// This client's certificate. Default none. Needs key_file.
  std::string cert_file = {};
  /// The private key of cert_file. Default none.
  std::string key_file = {};
  /// The name that the server's certificate must have; also sent as SNI. Default none: the URL's host.
  std::string server_name = {};
  /// Verify the server's certificate and name. Default true. False: any server is trusted.
  bool verify = true;
};

/// Redis Sentinel, for `redis-sentinel://` URLs and their like: see docs/sentinel.md. For a cluster (`cluster=true`)
/// address_map and failover_window mean the same of its nodes.
struct SentinelOptions {
  /// The user at the sentinels, which have users of their own. Default none. Needs password.
  std::string username = {};
  /// The password at the sentinels. Default none.
  std::string password = {};
  /// Where a server that announces an address is to be reached from here: {"10.0.0.7:6379", "203.0.113.7:7007"}.
  /// Without the ports it is for all ports of that host. Default none: as announced.
  std::vector<std::pair<std::string, std::string>> address_map = {};
  /// The invalidations of this time before a failover are repeated at the new master, which may have missed them. Set
  /// it to more than replication ever lags behind. Default 30 s. 0: none are. At most 1 h.
  OptionalDuration failover_window = std::chrono::seconds(30);
};

/// The options of a CacheManager. Every field has a working default: `CacheManager cache;` is an in-process cache.
struct ManagerOptions {
  /// The URL of L2: "redis://user:password@host:6379/0?socket_timeout=200ms". Empty or "memory:": no server. An option
  /// in the URL overrides the field below that it names; an unknown one is a ConfigError that lists the known ones.
  /// Default empty. Schemes and options: docs/redis.md.
  std::string url = {};
  /// The namespace: first part of every key at L2. Default "dsta".
  std::string space = "dsta";
  /// The ttl if no other scope gives one. Default 300 s.
  OptionalDuration default_ttl = std::chrono::seconds(300);
  /// Defaults of all entry options but prefix and name, which are a ConfigError here. Default: those of EntryOptions.
  EntryOptions defaults = {};
  /// L1, the in-process store.
  L1Options l1 = {};
  /// The connection to L2.
  PoolOptions pool = {};
  /// TLS to L2.
  TlsOptions tls = {};
  /// Redis Sentinel, and what a cluster shares with it. No effect without such a URL.
  SentinelOptions sentinel = {};
  /// The clock. Default: system_clock(). See testing.hpp for a ManualClock.
  std::shared_ptr<Clock> clock = {};
  /// Runs background work. Default: a thread_pool() of the manager's own, started when first needed.
  std::shared_ptr<Executor> executor = {};
  /// The log. Default: warnings and errors to stderr.
  Log log = {};
};

}  // namespace v1
}  // namespace dsta::cache
