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
#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/detail/identity.hpp>
#include <dsta/cache/detail/load.hpp>
#include <dsta/cache/detail/node.hpp>
#include <dsta/cache/executor.hpp>
#include <dsta/cache/options.hpp>
#include <dsta/cache/stats.hpp>

#include "entry/presets.hpp"
#include "l1/trust.hpp"
#include "two_level/context.hpp"
#include "two_level/l2_cache.hpp"
#include "two_level/two_level.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Flight;
struct Batch;
class LoadLimits;
class LeaseCoordinator;
// With a shared level.
struct OwnedLoads;
class LoadPlace;
enum class LoadUrgency : std::uint8_t;
struct Prepared;

/// What is behind a Core: construction, close, dispatch.
class Engine final : public Core, public std::enable_shared_from_this<Engine> {
 public:
  static std::shared_ptr<Engine> make(ManagerOptions options);
  ~Engine();

  /// Which time a hit takes. See hit.cpp.
  TimePoint hit_time(const ThreadRecord& record) const noexcept;
  /// Whether L1 may be read, by a time that was read already where that is the steady clock's.
  bool may_read(TimePoint time) const noexcept;

  /// The fresh time left of whatever is stored under the key; 0 when it is stale.
  std::optional<Duration> time_left(const KeyView& key, const Reach& reach);

  /// Which levels a manual call with these options goes to.
  Reach reach(const EntryOptions& options);
  bool has_shared() const noexcept { return levels_.has_l2(); }

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
  CacheStats stats();
  std::map<std::string, CacheStats> stats_by_prefix() const;
  void clear_stats();

  // Options.
  EntryTerms resolve(const EntryOptions& options) const;
  /// How long a counter that is made by these options lives: as set() has it, but for ever where no ttl is given.
  Duration counter_ttl(const EntryOptions& options);
  void preset(const std::string& prefix, const EntryOptions& options);
  void limit_loads(const std::string& prefix, const LoadLimit& limit);
  const ManagerOptions& options() const { return context_.options; }

  // Background.
  /// Runs `task` on the executor; false when it is full or the manager closed.
  bool post(std::function<void()> task);
  TimePoint now() const noexcept { return context_.now(); }
  /// Runs `job` every `interval` on the executor until the returned token dies.
  std::shared_ptr<void> every(Duration interval, std::function<void()> job);
  void keep(std::shared_ptr<void> token);
  /// Not after close(): the user's sink may be gone.
  void log(LogLevel level, std::string_view message) const { context_.log(level, message); }
  L2Cache& l2() noexcept { return l2_; }

  void close() noexcept;
  bool closed() const noexcept { return context_.closed(); }

 private:
  friend class Core;
  enum class Awaited { value, error, missing, timeout, nothing, stuck };
  using RunLoader = std::function<std::vector<Loaded>(const OwnedLoads&)>;

  explicit Engine(ManagerOptions options);

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
  void load_owned(OwnedLoads& owned, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run, LoadPlace& place);
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

  /// True when the caller may wait for the flight's value: nothing has revoked it at the shared level.
  bool may_join(const Flight& flight, const Fetched& seen);

  void sweep_behind() noexcept;

  Context context_;
  L1Trust trust_{context_.store};
  Presets presets_;
  std::unique_ptr<LoadLimits> limits_;
  TwoLevel levels_{context_, trust_};
  L2Cache l2_{context_, levels_};
  std::unique_ptr<LeaseCoordinator> leases_;
  /// The longest load_timeout of a load that was given to the executor: how long close() has patience.
  std::atomic<Duration> longest_load_{Duration::zero()};
  std::mutex kept_mutex_;
  std::vector<std::shared_ptr<void>> kept_;  // under kept_mutex_
};

/// Every Core is an Engine.
inline Engine& engine_of(Core& core) noexcept { return static_cast<Engine&>(core); }
inline const Engine& engine_of(const Core& core) noexcept { return static_cast<const Engine&>(core); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
