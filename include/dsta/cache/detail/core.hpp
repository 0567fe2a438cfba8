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
struct Batch;
class Admission;
class TagSet;
class Background;
class IdentityTable;
class Store;
class TagTable;
struct Dressing;

/// Entry options with every default filled in.
struct EntryTerms {
  Duration ttl{};
  Duration stale_for{};
  double refresh_ahead = 0;
  double xfetch = 0;
  double jitter = 0;
  std::optional<Duration> negative_ttl;
  Duration idle_ttl{};
  Duration soft_timeout{};
  Duration load_timeout{};
  Duration hold_off{};
  std::vector<std::string> tags;
};

/// What a read found.
enum class Freshness : std::uint8_t {
  miss,
  fresh,
  due,      ///< fresh, and a refresh ahead should start
  stale,    ///< past its ttl, may be served, and a refresh should start
  serving,  ///< past its ttl, may be served, and a refresh is under way already or has just failed
};

/// What a loader came back with. Neither node nor error: the source does not know the key.
struct Loaded {
  NodeRef node;
  std::exception_ptr error;
  bool store = true;          ///< false: hand it to the callers, keep nothing
  bool skipped = false;       ///< the previous value handed on: keep that as it is, and ask again after the hold-off
  bool negative = false;      ///< an empty optional: lives for negative_ttl
  OptionalDuration ttl = {};  ///< overrides the terms' ttl
  std::vector<std::string> tags = {};
  std::string etag = {};
  NodeRef kept = {};  ///< the previous entry when its value is handed on: the new one has its tags too
};

/// A value's own ttl: for an empty optional negative_ttl, none meaning do not store; else what the value says; else the
/// terms'.
inline Duration ttl_of(const Loaded& loaded, const EntryTerms& terms) {
  return loaded.negative ? terms.negative_ttl.value_or(Duration::zero()) : loaded.ttl.value_or(terms.ttl);
}

/// The etag an entry was stored with; empty when none.
std::string_view etag_of(const Node& node) noexcept;

/// Whose value is loaded, and how it is to be kept.
struct LoadSpec {
  std::shared_ptr<const EntryTerms> terms;
  Identity* identity = nullptr;
  const TypeOps* type = nullptr;
};

/// A load that outlives the call that asked for it: owns the function and its arguments.
class Loader : public LoadSpec {
 public:
  virtual ~Loader() = default;
  /// Runs user code; never under a lock. `previous` is the value to be replaced, null when there is none; it is looked
  /// up only for loaders that ask for it.
  virtual Loaded load(const KeyView& key, const NodeRef& previous) = 0;

  std::vector<std::string> tags;
  bool wants_previous = false;
};

/// One key of a batch: what is asked for, and what it came to (neither value nor error: the source does not know it).
struct BatchItem {
  KeyView key;
  std::vector<std::string> tags;
  NodeRef value = {};
  std::exception_ptr error = {};
};

/// A load of many keys by one call of user code. Owns the function and the arguments of all items of its batch.
class BatchLoader : public LoadSpec {
 public:
  struct Call {
    std::size_t item;  ///< index in the batch
    KeyView key;
  };
  virtual ~BatchLoader() = default;
  /// Runs user code; never under a lock. Answers in the order of the calls.
  virtual std::vector<Loaded> load(const std::vector<Call>& calls) = 0;
};

enum class LoadUrgency {
  wanted,  ///< somebody waits for it: it waits for a place among the loads of its prefix
  behind,  ///< a refresh that can be tried again: without a place it is not begun
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
  /// The same for many keys, all different, each by itself: those that nobody loads yet are loaded by one call. Throws
  /// nothing of the loader's: each item has its own outcome.
  void load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader);

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
  /// Bit N of `plain`: tags spell the function's argument N plainly.
  void note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain);
  /// True when every entry under `prefix` carries a tag `kind:…`, so that invalidating by tag leaves none out.
  bool all_carry(std::string_view prefix, std::string_view kind) const;
  Identity& manual(std::string_view prefix);
  /// The same for a call that is about to store.
  Identity& manual_writer(std::string_view prefix);
  CacheStats stats() const;
  std::map<std::string, CacheStats> stats_by_prefix() const;
  void clear_stats();

  // Options.
  EntryOptions cascade(const EntryOptions& options) const;
  EntryTerms resolve(const EntryOptions& options) const;
  void preset(const std::string& prefix, const EntryOptions& options);
  void limit_loads(const std::string& prefix, const LoadLimit& limit);
  const ManagerOptions& options() const { return options_; }

  // Background.
  /// Runs `task` on the executor; false when it is full or the manager closed.
  bool post(std::function<void()> task);
  Clock& clock() const { return *options_.clock; }
  TimePoint now() const noexcept { return reads_system_clock_ ? coarse_now() : options_.clock->now(); }
  /// Runs `job` every `interval` on the executor until the returned token dies.
  std::shared_ptr<void> every(Duration interval, std::function<void()> job);
  void keep(std::shared_ptr<void> token);
  /// Not after close(): the user's sink may be gone.
  void log(LogLevel level, std::string_view message) const {
    if (!closed()) options_.log.write(level, message);
  }
  void close() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  /// Points at which tests stop a thread to force a race.
  enum class Point { before_queue, before_load, before_store, after_store, before_wait };
  std::function<void(Point, std::string_view key)> probe;

 private:
  enum class Awaited { value, error, missing, timeout, nothing };
  using RunLoader = std::function<std::vector<Loaded>()>;

  explicit Core(ManagerOptions options);
  TimePoint hit_time() const noexcept;

  // Asking.
  std::shared_ptr<Flight> new_flight(const KeyView& key, const LoadSpec& spec, const std::vector<std::string>& tags);
  Awaited await(const std::shared_ptr<Flight>& flight, TimePoint limit, std::uint64_t arrived);
  struct Waiting;
  /// Each open item becomes a hit, or one of those that are waited for; of these, what nobody loads yet goes to
  /// `wanted`. Refreshes to be begun go to `behind`; `early` of them are of fresh entries.
  std::vector<Waiting> join_batch(std::vector<BatchItem>& items, const std::vector<std::size_t>& open,
                                  const LoadSpec& spec, bool counted, Batch& wanted, Batch& behind, std::size_t& early);
  void load_uncached(std::vector<BatchItem>& items, const std::vector<std::size_t>& open, bool counted,
                     BatchLoader& loader);

  // Leading. `lead` runs the loader on this thread, in its place among the loads of its prefix; `launch` has that done
  // in the background (false: no room, and the flights are abandoned).
  void lead(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run);
  void lead(const std::shared_ptr<Flight>& flight, Loader& loader, LoadUrgency urgency);
  void lead(const Batch& batch, BatchLoader& loader, LoadUrgency urgency);
  bool launch(const Batch& batch, const LoadSpec& spec, std::function<void()> lead);
  bool launch(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader, LoadUrgency urgency);
  bool launch(const Batch& batch, const std::shared_ptr<BatchLoader>& loader, LoadUrgency urgency);
  /// Stores what a flight brought unless it was fenced, and hands it to those who wait.
  void land(Flight& flight, const LoadSpec& spec, Loaded loaded, Duration took);
  /// Returns from which point of the invalidation sequence on callers must not take the value.
  std::uint64_t publish(Flight& flight, const LoadSpec& spec, Loaded& loaded, Duration took);
  void abandon(Flight& flight);
  Admission* admission(const Identity& identity) const;

  void sweep_behind();
  /// Fills in times, tags and weight. False: the ttl says not to store.
  bool dress(Node& node, const EntryTerms& terms, Dressing how) const;
  std::uint64_t sequence() const noexcept;
  std::uint64_t next_random() const noexcept;
  /// 0 <= f < 1.
  double random_fraction() const noexcept;

  ManagerOptions options_;
  const bool reads_system_clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<TagTable> tags_;
  std::unique_ptr<IdentityTable> identities_;
  std::shared_ptr<Background> background_;
  /// Grows with every invalidation of more than one key. An entry or a load is ordered against them by its value.
  std::atomic<std::uint64_t> sequence_{1};
  std::atomic<bool> closed_{false};
  mutable std::atomic<std::uint64_t> random_;
  /// The longest load_timeout of a load that was given to the executor: how long close() has patience.
  std::atomic<Duration> longest_load_{Duration::zero()};
  std::atomic<bool> has_limits_{false};
  mutable std::mutex limits_mutex_;
  std::map<std::string, std::unique_ptr<Admission>> limits_;  // by prefix, never removed; under limits_mutex_
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
