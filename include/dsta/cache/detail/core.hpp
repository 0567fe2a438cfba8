#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
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
class KeyPattern;
struct Expiry;
// With a shared level.
struct Shared;
struct Claim;
struct Ours;
class LoadPlace;
enum class LeaseStep : std::uint8_t;
enum class EntryAction : std::uint8_t;
struct Acquired;
struct Prepared;
struct Found;
struct Judged;
struct EnvelopeView;
struct Erasure;
struct Done;
struct SendOrder;
class Versions;
enum class PendingKind : std::uint8_t;
class Coherence;

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
  Duration refresh_backoff{};
  std::optional<std::size_t> compress_above;
  Level level = Level::both;
  bool raw = false;
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
  bool store = true;      ///< false: hand it to the callers, keep nothing
  bool skipped = false;   ///< the previous value handed on: keep that as it is, and ask again after the refresh backoff
  bool negative = false;  ///< an empty optional: lives for negative_ttl
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
  bool names_tags = false;  ///< the value may name tags that are not known before
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
  beside,  ///< a load inside a load, which waits for no other one
};

enum class LoadMode {
  get,      ///< a fresh value will do
  refresh,  ///< a value whose load begins after this call
};

/// What became of a value that was to be stored.
struct PutOutcome {
  enum Status {
    stored,
    not_stored_ttl,
    not_stored_weight,
    not_stored_key,
    not_stored_closed,
    not_stored_server,  ///< `why`
    unknown,            ///< `why`
  };
  PutOutcome(Status status_, std::string_view why_ = {}) : status(status_), why(why_) {}
  friend bool operator==(const PutOutcome& outcome, Status wanted) { return outcome.status == wanted; }

  Status status;
  std::string_view why;  ///< lives as long as the process
};

/// Which levels a manual call goes to.
struct Reach {
  bool l1 = true;
  bool l2 = false;
  bool raw = false;
};

/// A key that the shared level is asked for.
struct Fetched {
  KeyView key;
  NodeRef node = {};
  Freshness freshness = Freshness::miss;
  bool asked = false;                              ///< the server answered
  bool nothing = false;                            ///< that there is nothing
  const std::vector<std::string>* tags = nullptr;  ///< an entry without one of these does not count
  std::shared_ptr<Found> found = {};
  std::shared_ptr<Versions> versions = {};  ///< that were read or known with it
};

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
  std::optional<Duration> time_left(const KeyView& key, const Reach& reach);

  /// Which levels a manual call with these options goes to.
  Reach reach(const EntryOptions& options);
  /// Asks the shared level for all items at once, for a value of one of the `types` (the first that fits), and keeps
  /// what counts in-process where that is allowed. `dependencies` are read in the same round trip.
  void fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
             const EntryTerms& terms, std::span<const std::string> dependencies);
  /// The same for manual calls, and counts what was found.
  void fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Reach& reach);
  bool has_shared() const noexcept { return shared_ != nullptr; }

  /// A value by cache, by joining a load under way, or by loading. Throws what the loader throws.
  NodeRef load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode);
  /// The same for many keys, all different, each by itself: those that nobody loads yet are loaded by one call. Throws
  /// nothing of the loader's: each item has its own outcome.
  void load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader);

  // Writes.
  PutOutcome put(NodeRef node, const EntryTerms& terms, const std::vector<std::string>& tags, const Identity* identity);
  /// Many at once, by one round trip. The tags are those of the terms.
  std::vector<PutOutcome> put(std::vector<NodeRef> nodes, const EntryTerms& terms);
  bool erase(const KeyView& key, const Reach& reach = {.l2 = true});
  /// Removes and fences what the pattern concerns; returns how many entries that was.
  std::size_t erase_matching(const std::shared_ptr<const KeyPattern>& pattern);
  /// Returns how many there were, each key that is named twice once.
  std::size_t erase_many(std::span<const KeyView> keys, const Reach& reach);
  /// `ttl` counts from the counter's creation.
  std::optional<std::int64_t> increment(const KeyView& key, std::int64_t delta, Duration ttl, const Reach& reach);
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
  /// How long a counter that is made by these options lives: as set() has it, but for ever where no ttl is given.
  Duration counter_ttl(const EntryOptions& options) const;
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
  // What others change at the shared level, as its channel hears it. See coherence.hpp.
  void heard(std::span<const std::string_view> keys);
  void heard_flush();
  /// Whether changes are heard: what may be kept in-process, and what is to become of what is there.
  void forget_versions();
  void hearing(TimePoint heard);
  void not_hearing(std::string_view why, TimePoint last_heard);
  /// All changes up to then have been told.
  void heard_until(TimePoint time);

  /// In the child of a fork, at once: what is in-process is no longer kept up to date.
  void forked() noexcept;
  /// Around a fork: keeps the manager's own threads from what a child will use.
  void hold_threads() noexcept;
  void release_threads() noexcept;

  void close() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  /// Points at which tests stop a thread to force a race.
  enum class Point {
    before_queue,
    before_load,
    before_store,
    after_store,
    before_wait,
    before_shared_store,
    before_l1_store,
    unconfirmed,  ///< an invalidation was not, and nobody knows yet
  };
  std::function<void(Point, std::string_view key)> probe;
  /// The same where it is heard that an entry was changed: on a thread of the manager's, so it may be set at any time.
  std::atomic<const std::function<void()>*> heard_probe{nullptr};

 private:
  enum class Awaited { value, error, missing, timeout, nothing, stuck };
  using RunLoader = std::function<std::vector<Loaded>(const Ours&)>;

  explicit Core(ManagerOptions options);
  TimePoint hit_time(const ThreadRecord& record) const noexcept;
  static TimePoint hit_time_after_break(const ThreadRecord& record) noexcept;
  bool may_read(TimePoint time) const noexcept;

  // Asking.
  std::shared_ptr<Flight> new_flight(const KeyView& key, const LoadSpec& spec, const std::vector<std::string>& tags);
  /// `leads`: the caller's own flight.
  Awaited await(const std::shared_ptr<Flight>& flight, TimePoint limit, std::uint64_t arrived, bool leads);
  static bool waits_for_its_caller(const Flight& flight, TimePoint patience);
  std::shared_ptr<Flight> lead_beside(std::size_t place, const BatchItem& item, BatchLoader& loader);
  bool reads_l2_itself(const LoadSpec& spec);
  /// Exchanges a load that may bring what was invalidated before the caller came. True: the caller leads the new one.
  bool replace_doubtful(std::shared_ptr<Flight>& flight, bool in_doubt, const Fetched& seen, const Loader& loader);
  /// A value while its refresh runs: the value, or what the refresh brings within the soft timeout.
  NodeRef serve_stale_or_wait(NodeRef entry, Freshness freshness, const std::shared_ptr<Flight>& refresh,
                              const Loader& loader, TimePoint called, std::uint64_t arrived);
  /// A value of the shared level, whose refresh is begun when it is due.
  NodeRef refresh_if_due(Fetched seen, const std::shared_ptr<Loader>& loader, TimePoint called, std::uint64_t arrived);
  struct Waiting;
  class Unled;
  /// Each open item becomes a hit, or one of those that are waited for; of these, what nobody loads yet goes to
  /// `wanted`. Refreshes to be begun go to `behind`; `early` of them are of fresh entries.
  std::vector<Waiting> join_batch(std::vector<BatchItem>& items, const std::vector<std::size_t>& open,
                                  const LoadSpec& spec, bool counted, Batch& wanted, Batch& behind, std::size_t& early);
  /// Takes away the flights that whoever comes now must not join.
  void drop_superseded(const std::vector<BatchItem>& items, const LoadSpec& spec, std::vector<Waiting>& waiting);
  void refresh_behind(const std::vector<BatchItem>& items, const std::vector<std::size_t>& aged,
                      const std::shared_ptr<BatchLoader>& loader);
  void load_uncached(std::vector<BatchItem>& items, const std::vector<std::size_t>& open, bool counted,
                     BatchLoader& loader);

  // Leading. `lead` runs the loader on this thread, in its place among the loads of its prefix; `launch` has that done
  // in the background (false: no room, and the flights are abandoned).
  // Every flight lands, also when there is no memory.
  void lead(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run) noexcept;
  void run_load_all(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run);
  /// Gets a place among the loads of the prefix. False: the flights have landed without one.
  bool enter(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place);
  void wait_for_unclaimed(const std::shared_ptr<Flight>& flight);
  void load_ours(Ours& ours, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run, LoadPlace& place);
  void lead(const std::shared_ptr<Flight>& flight, Loader& loader, LoadUrgency urgency) noexcept;
  void lead(const Batch& batch, BatchLoader& loader, LoadUrgency urgency) noexcept;
  bool launch(const Batch& batch, const LoadSpec& spec, std::function<void()> lead);
  bool launch(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader,
              LoadUrgency urgency) noexcept;
  bool launch(const Batch& batch, const std::shared_ptr<BatchLoader>& loader, LoadUrgency urgency) noexcept;
  /// Decides what is to become of what a flight brought.
  Prepared prepare(Flight& flight, const LoadSpec& spec, Loaded& loaded, Duration took);
  /// Stores it unless the flight was fenced, and hands it to those who wait.
  void land(Flight& flight, const LoadSpec& spec, Loaded loaded, Prepared prepared);
  void publish(Flight& flight, const LoadSpec& spec, const Loaded& loaded, Prepared& prepared);
  std::uint64_t valid_before(const Flight& flight, const Loaded& loaded);
  /// Lands a flight whose loader never ran.
  void abandon(Flight& flight) noexcept;
  /// Lands a flight, unless it has, with an error.
  void fail(Flight& flight, std::exception_ptr error) noexcept;
  Admission* admission(const Identity& identity) const;

  // With a shared level. See connect.cpp.
  void connect();
  void listen();
  void begin_periodic_tasks();
  void disconnect() noexcept;
  /// By each operation that reaches beyond a hit: threads that were not to be had are tried for again.
  void tend();
  /// In the child of a fork the threads of its parent are missing: makes them again.
  void revive();
  /// There is a shared level, and the manager is this process's.
  bool reaches_shared();

  // See consult.cpp.
  struct Wanted;
  Acquired acquire_leases(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, int looks, LoadPlace& place);
  Acquired acquire_raw_leases(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place);
  void take_raw_claims(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, std::span<const std::size_t> open,
                       const std::vector<bool>& absent, Acquired& acquired);
  LeaseStep look(const Flight& flight, const LoadSpec& spec, LoadUrgency urgency, const Found& found,
                 const Versions& versions, std::uint64_t confirmed_before, NodeRef& node, Freshness& freshness);
  bool know_versions(std::span<const std::string> dependencies, const EntryTerms& terms, Versions& versions);
  void take_claims(const Batch& batch, const LoadSpec& spec, const std::shared_ptr<const Versions>& versions,
                   std::vector<Wanted>& wanted, Acquired& acquired);
  void land_found(Flight& flight, const EntryTerms& terms, NodeRef node, Freshness freshness);
  void put_off(const std::shared_ptr<Flight>& flight);
  void take_refresh_leases(const Batch& batch, const LoadSpec& spec, std::vector<Wanted>& wanted);
  /// False: not any longer.
  bool wait_for_others(int looks, TimePoint begun);
  void store_under_leases(Ours& ours, const LoadSpec& spec, std::vector<Prepared>& prepared,
                          std::vector<Loaded>& loaded, Duration took);
  EntryAction store_action(const Flight& flight, const Claim& claim, const LoadSpec& spec, Prepared& mine,
                           Loaded& loaded, Duration took, std::string& bytes);
  void note_stored(Claim& claim, Prepared& mine, const Done& done, bool stores);
  bool add_late_versions(const Claim& claim, const std::vector<std::string>& before_load,
                         std::span<const std::string> dependencies, TimePoint stale_until, Versions& versions);
  std::vector<std::string> dependencies_of(const Batch& batch, const LoadSpec& spec) const;
  /// True when the caller may wait for the flight's value: nothing has revoked it at the shared level.
  bool may_join(const Flight& flight, const Fetched& seen);

  /// Of one operation with the server.
  Duration time_limit() const { return options_.pool.socket_timeout.value_or({}); }

  // See shared_read.cpp.
  bool shares(const EntryTerms& terms);
  /// What comes from the shared level may be kept in-process.
  bool fills(const EntryTerms& terms) const;
  NodeRef decode(const KeyView& key, const TypeOps& type, std::string_view payload) const;
  NodeRef unpack(const KeyView& key, const TypeOps& type, const Found& found, const Judged& judged,
                 std::uint64_t sequence) const;
  void take_found(Fetched& item, Found found, std::span<const TypeOps* const> types, const Identity* reader,
                  const EntryTerms& terms, const Versions& versions, std::int64_t server_now,
                  std::uint64_t sequence_before, std::uint64_t confirmed_before);
  void count_undecoded(std::string_view why);
  /// An invalidation of the value waits, or may have waited when it was read (`confirmed`: Pending's count before
  /// that).
  bool concerned(const EnvelopeView& view, std::string_view key, std::uint64_t confirmed) const;
  std::optional<Duration> shared_time_left(const KeyView& key, bool raw);

  // See shared_write.cpp.
  Duration physical_life(TimePoint stale_until) const;
  Duration version_life(TimePoint stale_until) const;
  static std::vector<std::string> dependencies_of(const Identity* identity, const std::vector<std::string>& tags);
  std::string pack(const Node& node, const EntryTerms& terms, std::span<const std::string> dependencies,
                   const Versions& versions, Duration load_cost, bool negative, const std::array<char, 16>& generation,
                   std::uint32_t order) const;
  std::vector<PutOutcome> put_shared(std::vector<NodeRef>& nodes, const EntryTerms& terms,
                                     const std::vector<std::string>& tags);
  SendOrder write_entries(const std::vector<NodeRef>& nodes, const EntryTerms& terms,
                          const std::vector<std::string>& dependencies, Duration life,
                          std::vector<PutOutcome>& outcomes);
  bool erase_shared(const KeyView& key, bool raw);
  bool counts(const EnvelopeView& view);
  std::size_t erase_matching_shared(const std::shared_ptr<const KeyPattern>& pattern);
  Done sweep(const KeyPattern& pattern, std::size_t* counted);
  std::size_t count_erased(std::span<const Erasure> erasures, bool raw, Versions& versions);
  void invalidate_shared(std::string_view dependency, bool hard);
  void flush_shared();
  static std::array<std::shared_ptr<const KeyPattern>, 2> raw_values_of(const Identity& identity);
  void clear_raw(std::span<const std::shared_ptr<const KeyPattern>> patterns) noexcept;
  void retry_later(PendingKind kind, std::string_view name);
  void retry_later(const std::shared_ptr<const KeyPattern>& pattern);
  // See coherence.cpp.
  class QuietWork;
  void drop_all_shared();
  void cease_to_trust(TimePoint last_heard);
  /// What may be served of L1. Taken before an entry is looked for: an invalidation may be processed between the two.
  struct L1View {
    bool current = true;    ///< what L1 has of L2 may be served
    bool own_valid = true;  ///< as may values of Level::l1 that other processes can invalidate
    bool hides(const Node& node) const noexcept { return !current && hides_while_not_current(node); }
    bool hides_while_not_current(const Node& node) const noexcept;
  };
  L1View l1_view() const noexcept { return l1_view(coarse_now()); }
  L1View l1_view(TimePoint time) const noexcept;
  /// What L1 has of L2 may be served.
  bool trusts_l1() const noexcept { return coarse_now() < trusted_until_.load(std::memory_order_acquire); }
  /// Invalidations of Level::l1 values may be missing: the channel has given no sign of life for two ping periods, and
  /// the values that were here then are still here.
  bool l1_lags() const noexcept { return shared_ && !l1_view().own_valid; }

  // Steps of PeriodicTask: each does what is due and says when it is to be called next.
  TimePoint confirm_pending();
  TimePoint renew_leases();
  TimePoint renew_leases(TimePoint time, TimePoint next);
  void give_back_leases() noexcept;
  TimePoint end_stale_service();
  TimePoint keep_versions();
  TimePoint destroy_dropped();
  /// True: the server has refused some of it.
  bool apply_pending();
  std::optional<std::int64_t> increment_shared(const KeyView& key, std::int64_t delta, Duration ttl);
  std::optional<std::int64_t> increment_entry(const KeyView& key, std::int64_t delta, Duration ttl, bool& changed);
  static std::optional<std::int64_t> decode_integer(const EnvelopeView& view);

  void sweep_behind() noexcept;
  /// Tags, an etag and an idle ttl, for those that have any.
  void attach_metadata(Node& node, TagSet tags, std::string etag, Duration idle_ttl) const;
  /// Fills in times, tags and weight. False: the ttl says not to store.
  bool set_expiry(Node& node, const EntryTerms& terms, Expiry how) const;
  /// A ttl, shortened at random by a fraction of up to `jitter`.
  Duration jittered(Duration ttl, double jitter) const;
  std::uint64_t sequence() const noexcept;
  std::uint64_t next_random() const noexcept;
  /// 0 <= f < 1.
  double random_fraction() const noexcept;

  ManagerOptions options_;
  const bool reads_system_clock_;
  /// What stands beside the store and is paid by its budget: records of tags, and of functions without a wrapper. On a
  /// cache line of its own.
  struct alignas(64) Beside {
    std::atomic<std::size_t> bytes{0};
  } beside_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<TagTable> tags_;
  std::unique_ptr<IdentityTable> identities_;
  std::unique_ptr<Shared> shared_;        ///< null: in-process only
  std::unique_ptr<Coherence> coherence_;  ///< null: no in-process level beside the shared one
  /// Until then what L1 has of L2 may be read (steady clock): for as long as the invalidation channel vouches for it. A
  /// process that was stopped finds this time past, whatever its threads have not done yet.
  std::atomic<TimePoint> trusted_until_{TimePoint::max()};
  /// The channel is known to be down, and Level::l1 values that other processes can invalidate were dropped since:
  /// those that are here were loaded without it.
  std::atomic<bool> own_dropped_{true};
  std::atomic<std::uint32_t> forks_{0};
  std::mutex reviving_;
  /// Held by the manager's own threads while they are at what is in-process.
  std::mutex quiet_;
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
