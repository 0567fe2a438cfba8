#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/stats.hpp>

#include "base/mutex.hpp"
#include "engine/pins.hpp"
#include "entry/presets.hpp"
#include "l1/trust.hpp"
#include "load/lease_coordinator.hpp"
#include "load/load_runner.hpp"
#include "load/loads.hpp"
#include "load/refresh_backoffs.hpp"
#include "two_level/context.hpp"
#include "two_level/foreign_loads.hpp"
#include "two_level/l2_cache.hpp"
#include "two_level/l2_counters.hpp"
#include "two_level/two_level.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What is behind a Core: its owners, which it makes and closes in order, and the operations that concern several of
/// them. Its public calls are those of src/api, beside the calls of Core. Thread-safe.
///
/// Each owner is handed those before it that it needs, and none of them knows the engine.
class Engine final : public Core, public std::enable_shared_from_this<Engine> {
 public:
  static std::shared_ptr<Engine> make(ManagerOptions options);
  ~Engine();
  void close() noexcept;

  /// The fresh time left of whatever is stored under the key; 0 when it is stale.
  std::optional<Duration> time_left(const KeyView& key, const Reach& reach);
  /// `ttl` counts from the counter's creation.
  std::optional<std::int64_t> increment(const KeyView& key, std::int64_t delta, Duration ttl, const Reach& reach);
  /// How long a counter that is made by these options lives: as an entry, but for ever where no ttl is given.
  Duration counter_ttl(const EntryOptions& options) { return presets_.counter_ttl(options, context_.random); }
  /// How many there were, each key that is named twice once.
  std::size_t erase_many(std::span<const KeyView> keys, const Reach& reach) { return l2_.remove_many(keys, reach); }
  void invalidate_tag(std::string_view tag, bool hard);
  void flush_all();
  /// True when every entry under `prefix` carries a tag `kind:…`, so that invalidating by tag leaves none out.
  bool all_carry(std::string_view prefix, std::string_view kind) const;

  /// There is an in-process level.
  bool keeps_l1() const noexcept { return context_.options.l1.enabled; }

  CacheStats stats();
  /// What the server does not offer, as text; empty: nothing that was asked for.
  std::string missing_commands() const;
  std::map<std::string, CacheStats> stats_by_prefix() const;
  void clear_stats();
  /// See TwoLevel.
  std::string server() const { return levels_.server(); }
  std::string_view topology() const noexcept { return levels_.topology(); }
  /// Two more after each clear_stats(). Odd while one is under way.
  std::uint64_t stats_cleared() const { return stats_cleared_.load(std::memory_order_acquire); }
  /// Until close().
  void keep(std::shared_ptr<void> token);

 private:
  friend class Core;
  explicit Engine(ManagerOptions options);

  // See hit.cpp.
  TimePoint hit_time(const ThreadRecord& record) const noexcept;
  bool may_read(TimePoint time) const noexcept;
  Freshness read_node(ThreadRecord& record, const KeyView& key, const TypeOps& type, const Identity* reader,
                      NodeRef& out) noexcept;
  template <class IsKey>
  Freshness copy_fresh(ThreadRecord& record, const Store::CopyingRead<IsKey>& read);
  template <class IsKey>
  Freshness count_manual_hit(const EntryOptions& options, const Store::CopyingRead<IsKey>& read);

  bool lost_to_a_fault();
  std::optional<std::int64_t> increment_l1(const KeyView& key, std::int64_t delta, Duration ttl);
  void sweep_behind() noexcept;

  std::unique_ptr<Pins<Core>> pins_;  ///< set by make
  Context context_;
  L1Trust trust_;
  alignas(64) Presets presets_{context_.options};  ///< on another cache line than the trust, which hits read
  L2Counters counters_;
  ForeignLoads foreign_loads_;
  RefreshBackoffs backoffs_;
  TwoLevel levels_{context_, trust_, foreign_loads_, counters_};
  L2Cache l2_{context_, levels_, counters_};
  LeaseCoordinator leases_{context_, levels_, l2_, foreign_loads_, backoffs_, counters_};
  LoadRunner runner_{context_, trust_, levels_, leases_};
  Loads loads_{context_, trust_, levels_, l2_, runner_, backoffs_, counters_};
  /// 1 + fork_count() of the process in which a sweep has been posted and has not begun.
  std::atomic<std::uint32_t> sweep_posted_{0};
  Mutex clear_mutex_;
  std::atomic<std::uint64_t> stats_cleared_{0};  ///< written under the mutex
  Mutex kept_mutex_;
  std::vector<std::shared_ptr<void>> kept_ DSTA_GUARDED_BY(kept_mutex_);
};

/// Every Core is an Engine.
inline Engine& engine_of(Core& core) noexcept { return static_cast<Engine&>(core); }
inline const Engine& engine_of(const Core& core) noexcept { return static_cast<const Engine&>(core); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
