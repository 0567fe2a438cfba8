#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/detail/load.hpp>

#include "base/lease_token.hpp"
#include "base/send_order.hpp"
#include "entry/tags.hpp"
#include "l1/fill_epoch.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A load that waits for a background thread. Whoever begins it first runs it: the thread it was queued for, or a
/// caller that must not wait for that thread. Thread-safe.
class Errand {
 public:
  virtual ~Errand() = default;
  /// Runs it unless somebody has begun.
  virtual void run() = 0;
};

/// How a flight stands to what else happens to its key.
enum class FlightKind : std::uint8_t {
  load,   ///< a load: callers join it
  fill,   ///< a value of L2 on its way into L1; no caller joins
  write,  ///< a value on its way to L2; no caller joins
};

/// One load of one key: the callers that want its value share it. Thread-safe.
///
/// Life: created by the caller that leads, attached to the key's shard (where later callers find it and invalidations
/// fence it), landed with a value or an error, detached. What it brings is stored only if nothing fenced it.
struct Flight {
  Flight(const KeyView& key, const LoadSpec& spec, std::vector<std::string> tags_of_key, std::uint64_t now)
      : name(key.name),
        full(key.full),
        hash(key.hash),
        type(spec.type),
        identity(spec.identity),
        tag_names(std::move(tags_of_key)),
        sequence(now) {}

  KeyView key() const { return {name, full, hash}; }

  /// As valid_before: no caller is too late for the value.
  static constexpr std::uint64_t kValid = std::numeric_limits<std::uint64_t>::max();

  const std::string name, full;
  const std::uint64_t hash;
  const TypeOps* const type;
  const IdentityRef identity;
  /// Known before the value is; the value may name more.
  const std::vector<std::string> tag_names;
  /// The invalidation sequence when the load began: whatever was invalidated later, this value does not count for.
  const std::uint64_t sequence;
  TagSet tags;
  FlightKind kind = FlightKind::load;
  /// The caller asked for a refresh: only a load that begins after it will do.
  bool forced = false;
  /// No caller joins once its loader runs: a caller could not learn whether the value still counts. Set by its leader
  /// before it is attached.
  bool closes_at_load = false;

  /// What else happens to the key while it is attached. The lock of the key's shard guards it.
  struct State {
    bool fenced = false;   ///< what it brings is not stored
    bool revoked = false;  ///< another process changed the key since the request was sent whose answer L1 is to keep
    bool loading = false;  ///< its loader runs: what another process changes now may be missing in what it brings
    /// It has no claim at L2, so an invalidation by another process goes unseen: no caller joins its loader.
    bool unclaimed = false;
    bool closed = false;      ///< its claim is being given up: no caller joins
    bool superseded = false;  ///< a refresh began later: no caller joins, and that one's value, once there, stays
    std::uint64_t fill_epoch = FillEpoch::kNever;  ///< FillEpoch::current() when that request was sent
    /// A write's: of the last write to the key that ended, and was kept, while this one was under way.
    SendOrder rival;
    std::uint64_t number = 0;  ///< counts the flights of the shard
    std::shared_ptr<Flight> next;
  } state;

  /// The thread that runs the loader; 0 before it starts and after it ends.
  std::atomic<std::uint64_t> leader{0};
  /// Its leader's: how often in a row L2 had neither a value nor a lease to be had.
  int lease_conflicts = 0;
  /// Calls that wait for it or run its loader.
  std::atomic<int> callers{0};
  /// It loads by a claim at L2: `generation` and `order`, under `versions`, which do not change any more.
  std::atomic<bool> claimed{false};
  /// By a lease in the entry's place: L2 has no value that could be served meanwhile.
  std::atomic<bool> leased{false};
  LeaseToken generation{};
  std::uint32_t order = 0;
  std::shared_ptr<const Versions> versions;

  /// Its leader's: see `waits`.
  void wait_for(const LeaseToken& lease, std::uint64_t thread) {
    {
      const std::lock_guard lock(mutex);
      waits = true;
      waits_for_lease = lease;
      waits_for_thread = thread;
    }
    landing.notify_all();
  }
  void wait_no_more() {
    if (!waits) return;  // only its leader writes it
    const std::lock_guard lock(mutex);
    waits = false;
  }

  std::mutex mutex;
  std::condition_variable landing;
  // Under `mutex`.
  std::weak_ptr<Errand> errand;
  bool landed = false;
  bool abandoned = false;  ///< its loader never ran
  /// Its leader waits for another load before it runs its own: for the one that has this lease, or that this thread
  /// runs (0: neither is known).
  bool waits = false;
  LeaseToken waits_for_lease{};
  std::uint64_t waits_for_thread = 0;
  NodeRef value;                      ///< null and no error: the source does not know the key
  Freshness found = Freshness::miss;  ///< of a value of L2, when it was read
  bool from_shared = false;           ///< the value was found at L2
  /// A value that was found at L2 before some of the callers came: only the caller that led may take it.
  bool leader_only = false;
  std::exception_ptr error;
  /// Callers that came at this point of the invalidation sequence or later must not take the value: it names a tag that
  /// was invalidated then.
  std::uint64_t valid_before = kValid;
};

/// While it lives a call waits for these flights, or runs their loader.
class CallersOf {
 public:
  explicit CallersOf(std::span<const std::shared_ptr<Flight>> flights) : flights_(flights) {
    for (const auto& flight : flights_) flight->callers.fetch_add(1, std::memory_order_relaxed);
  }
  ~CallersOf() {
    for (const auto& flight : flights_) flight->callers.fetch_sub(1, std::memory_order_relaxed);
  }
  CallersOf(const CallersOf&) = delete;
  CallersOf& operator=(const CallersOf&) = delete;

 private:
  const std::span<const std::shared_ptr<Flight>> flights_;
};

/// Flights that one call of a loader brings, and which item of its batch each is for.
struct Batch {
  std::vector<std::size_t> items;
  std::vector<std::shared_ptr<Flight>> flights;

  bool empty() const { return flights.empty(); }
  void add(std::size_t item, std::shared_ptr<Flight> flight) {
    items.push_back(item);
    flights.push_back(std::move(flight));
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
