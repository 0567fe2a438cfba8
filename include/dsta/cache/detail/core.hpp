#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/detail/coarse_clock.hpp>
#include <dsta/cache/detail/identity.hpp>
#include <dsta/cache/detail/node.hpp>
#include <dsta/cache/executor.hpp>
#include <dsta/cache/options.hpp>
#include <dsta/cache/stats.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Flight;
class TagSet;
class Background;
class IdentityTable;
class Store;
class TagTable;

/// Entry options with every default filled in.
struct EntryTerms {
  Duration ttl{};
  Duration stale_for{};
  double refresh_ahead = 0;
  double jitter = 0;
  std::optional<Duration> negative_ttl;
  Duration idle_ttl{};
  Duration soft_timeout{};
  Duration load_timeout{};
  std::vector<std::string> tags;
};

/// What a read found.
enum class Freshness : std::uint8_t {
  miss,
  fresh,
  due,      ///< fresh, and a refresh ahead should start
  stale,    ///< past its ttl, may be served, and a refresh should start
  serving,  ///< past its ttl, may be served, and a refresh is under way already
};

/// What a loader came back with.
struct Loaded {
  NodeRef node;
  bool store = true;          ///< false: hand it to the callers, keep nothing
  bool negative = false;      ///< an empty optional: lives for negative_ttl
  OptionalDuration ttl = {};  ///< overrides the terms' ttl
  std::vector<std::string> tags = {};
};

/// A value's own ttl: for an empty optional negative_ttl, none meaning do not store; else what the value says; else the
/// terms'.
inline Duration ttl_of(const Loaded& loaded, const EntryTerms& terms) {
  return loaded.negative ? terms.negative_ttl.value_or(Duration::zero()) : loaded.ttl.value_or(terms.ttl);
}

/// A load that outlives the call that asked for it: owns the function, its arguments and its terms.
class Loader {
 public:
  virtual ~Loader() = default;
  /// Runs user code; never under a lock.
  virtual Loaded load(const KeyView& key) = 0;

  std::shared_ptr<const EntryTerms> terms;
  std::vector<std::string> tags;
  Identity* identity = nullptr;
  const TypeOps* type = nullptr;
};

enum class LoadMode {
  get,      ///< a fresh value will do
  refresh,  ///< a value whose load begins after this call
};

enum class PutOutcome { stored, not_stored_ttl, not_stored_weight, not_stored_key, not_stored_closed };

/// The compiled heart of a manager: store, flights, tags, identities, background work. Thread-safe.
/// After close() it stores and serves nothing: reads miss and loads run without the cache.
class Core : public std::enable_shared_from_this<Core> {
 public:
  static std::shared_ptr<Core> make(ManagerOptions options);
  ~Core();

  // Reads. The hot path: no lock, no allocation, no exception.
  Freshness read(const KeyView& key, const TypeOps& type, const Identity* reader, NodeRef& out) noexcept;
  /// Copies the value's bytes and counts a hit of `reader`; true only when the entry is fresh. For bitwise types.
  bool hit_bitwise(const KeyView& key, const TypeOps& type, Identity& reader, void* out) noexcept;

  /// The fresh time left of whatever is stored under the key; 0 when it is stale.
  std::optional<Duration> time_left(const KeyView& key) noexcept;

  /// A value by cache, by joining a load under way, or by loading. Throws what the loader throws.
  NodeRef load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode);

  // Writes.
  PutOutcome put(NodeRef node, const EntryTerms& terms, const std::vector<std::string>& tags, const Identity* identity);
  bool erase(const KeyView& key);
  std::size_t erase_matching(std::string_view pattern);
  /// `ttl` counts from the counter's creation.
  std::optional<std::int64_t> increment(const KeyView& key, std::int64_t delta, Duration ttl);
  void invalidate_tag(std::string_view tag, bool hard);
  void clear(Identity& identity);
  void flush_all();

  // Identities and statistics.
  Identity& register_function(const std::string& prefix, const std::string& name, const FunctionMark& mark);
  void release_function(Identity& identity) noexcept;
  Identity& manual(std::string_view prefix);
  CacheStats stats() const;
  std::map<std::string, CacheStats> stats_by_prefix() const;
  void clear_stats();

  // Options.
  EntryOptions cascade(const EntryOptions& options) const;
  EntryTerms resolve(const EntryOptions& options) const;
  void preset(const std::string& prefix, const EntryOptions& options);
  const ManagerOptions& options() const { return options_; }

  // Background.
  /// Runs `task` on the executor; false when it is full or the manager closed.
  bool post(std::function<void()> task);
  Clock& clock() const { return *options_.clock; }
  TimePoint now() const noexcept { return reads_system_clock_ ? coarse_now() : options_.clock->now(); }
  /// Runs `job` every `interval` on the executor until the returned token dies.
  std::shared_ptr<void> every(Duration interval, std::function<void()> job);
  void keep(std::shared_ptr<void> token);
  void log(LogLevel level, std::string_view message) const { options_.log.write(level, message); }
  void close() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  /// Points at which tests stop a thread to force a race.
  enum class Point { before_load, before_store, after_store, before_wait };
  std::function<void(Point, std::string_view key)> probe;

 private:
  enum class Awaited { value, error, timeout, nothing };

  explicit Core(ManagerOptions options);
  TimePoint hit_time() const noexcept;
  NodeRef lead(Flight& flight, Loader& loader);
  NodeRef land(Flight& flight, const Loader& loader, Loaded loaded, std::exception_ptr error);
  Awaited await(const std::shared_ptr<Flight>& flight, TimePoint limit, std::uint64_t arrived);
  bool launch(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader);
  void refresh_behind(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader);
  void abandon(Flight& flight);
  void sweep_behind();
  /// Fills in times, tags and weight. False: the ttl says not to store.
  bool dress(Node& node, const EntryTerms& terms, Duration ttl, TagSet tags) const;
  std::uint64_t sequence() const noexcept;
  std::uint64_t next_random() const noexcept;

  ManagerOptions options_;
  const bool reads_system_clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<TagTable> tags_;
  std::unique_ptr<IdentityTable> identities_;
  std::unique_ptr<Background> background_;
  /// Grows with every invalidation of more than one key. An entry or a load is ordered against them by its value.
  std::atomic<std::uint64_t> sequence_{1};
  std::atomic<bool> closed_{false};
  mutable std::atomic<std::uint64_t> random_;
  std::atomic<bool> has_presets_{false};
  mutable std::mutex presets_mutex_;
  std::map<std::string, EntryOptions> presets_;  // under presets_mutex_
  std::mutex kept_mutex_;
  std::vector<std::shared_ptr<void>> kept_;  // under kept_mutex_
};

/// Throws ConfigError for what cannot be; fills in the default clock and what the URL says.
ManagerOptions checked(ManagerOptions options);
EntryTerms resolve(const EntryOptions& options, Duration default_ttl);
CacheStats to_stats(const Totals& totals);

/// The store's form of a key that is too long to be kept readable: its head, '#' and a 128-bit hash of it.
class StoredKey {
 public:
  /// `full` is over kReadableKeyBytes long and outlives this.
  explicit StoredKey(std::string_view full);
  const KeyView& view() const { return view_; }

 private:
  KeyView view_;
  std::string shortened_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
