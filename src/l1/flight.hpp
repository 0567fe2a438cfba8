#pragma once
/// A flight is a load of one key that is under way, or a value on its way between L1 and L2.
///
/// The interleavings that its marks are for. A and B call this process, P is another process, k is the key. The source
/// has v1, then v2. Code that needs a mark names its case: "case 3 of flight.hpp".
///
/// Case 1: a load crosses an invalidation (`fenced`, `sequence`).
///   1. A leads a load of k. Its loader reads v1 from the source.
///   2. The source changes to v2. B invalidates k: the entry goes.
///   3. A's load lands. If it stored v1, v1 would be served for a whole ttl after its invalidation.
/// So whoever removes an entry fences the flights of its key in the same step, under the shard's lock, and what a
/// fenced flight brings is not stored. Nor does a caller join it: B's next call would get v1. An invalidation of many
/// keys (a tag, a function, all) lists none: it raises the manager's sequence, and flights that began below it are
/// fenced.
///
/// Case 2: a value names a tag that was not known before (`valid_before`).
///   1. A leads a load of k. Its loader reads v1, which will carry the tag t.
///   2. The source changes to v2. B invalidates t. The flight is not known to carry t, so it is not fenced.
///   3. B asks for k and joins A's flight.
///   4. A's load lands with v1 and t. Who joined before step 2 may have v1, B may not.
/// So a flight whose value names a tag that was invalidated since the flight began says from which point of the
/// sequence on callers must ask again.
///
/// Case 3: a value from L2 crosses a change by another process (`revoked`).
///   1. A reads k from L2. The server answers v1; the reply is on its way.
///   2. P changes k. The channel reports k: L1 has nothing of it to drop.
///   3. A receives v1 and keeps it in L1. No report would ever remove it.
/// There is no order between the channel and the replies. So a report revokes the flights of k, each request clears the
/// mark before it is sent, and what was revoked since is not kept in L1.
///
/// Case 4: a caller would join a load that another process has revoked (`loading` and `revoked`, `claimed`).
///   1. A loads k under a lease at L2. Its loader reads v1.
///   2. P invalidates k, which removes the lease, and tells B.
///   3. B asks for k and would join A's flight.
/// So a caller who comes after such a report, and every caller where L1 cannot know, reads L2 first, and joins only if
/// the flight's claim still stands there. Otherwise it supersedes the flight and leads another one.
///
/// Case 5: a refresh crosses an older load (`superseded`, `number`).
///   1. A leads a load of k. Its loader reads v1.
///   2. The source changes to v2. B asks for a refresh: only a load that begins now will do. B's loader reads v2.
///   3. B's load lands with v2, then A's with v1. The older value would replace the newer one.
/// (The same where another function, or a call by hand, has the key, too, and loads it in step 2.)
/// So a refresh supersedes the older flights when it begins: no caller joins them any more. It fences them only when it
/// lands with an answer: if B's loader fails, v1 is the best that there is, and A's load stores it.
///
/// Case 6: two writes cross (`rival`).
///   1. A writes v1 to L2, then B writes v2. The server executes them in the order in which they were sent.
///   2. B's reply is handled first: L1 keeps v2.
///   3. A's reply is handled. If A kept v1 in L1, L1 and L2 would differ.
/// So a write that ends notes its place in the order in the other writes of its key, and the one sent last stays. Where
/// there is no order (another connection, an unknown outcome) L1 keeps none of them.
///
/// Case 7: a load has no claim at L2, which is out of reach (`unclaimed`).
///   1. A loads k without a lease. Its loader reads v1.
///   2. P invalidates k. At L2 nothing stands for A's load, so nothing tells that it is out of date.
///   3. B asks for k and would join A's flight.
/// So no caller joins its loader and its value is not stored. One such load of a key runs at a time; callers who come
/// while it runs share the next one.
///
/// Case 8: the channel goes down and comes back while a value is on its way to L1 (`fill_epoch`).
///   1. A reads v1 from L2, or loads a value that P can invalidate by a tag.
///   2. The channel goes down. P invalidates k, and no report comes. The channel comes back: L1 was emptied.
///   3. A keeps v1 in L1.
/// So a flight notes a number that changes whenever the channel goes down or comes back, and its value is kept only
/// while the number is the same.
///
/// Case 9: the channel goes down while a loader runs whose value names a tag (`names_tags`, `epoch_at_load`).
///   1. A leads a load of k. Its loader reads v1, which will carry the tag t.
///   2. The channel goes down. P invalidates t, and no report comes.
///   3. B asks for k. What stands at L2 for A's load shows nothing of t, and case 2 has no invalidation to see.
/// So a caller that comes after the channel went down, or that reads L2 itself because the channel is down, does not
/// join.
///
/// Case 10: a loader is shown a value that is invalidated before the loader begins (`loading`).
///   1. A leads a refresh of k. It reads v1 from L2, for its loader to go by, and then acquires the lease.
///   2. P invalidates k.
///   3. B asks for k and would join A's flight, whose loader has not begun. It will hand v1 on.
/// So such a flight counts as loading from before the value is read.
///
/// Case 11: a lease is taken just after another process removed the entry (`revoked`).
///   1. B reads k from L2. The server answers v1; the reply is on its way.
///   2. P removes k. In the same cycle of the server's event loop, A's request takes the lease of k.
///   3. The server reports a changed key once per cycle, to all but the client that changed it last: this process gets
///      no report.
///   4. B receives v1 and keeps it in L1.
/// So whoever takes a lease revokes the flights of its key.
///
/// Case 12: a load lands while a value that was read later is on its way from L2 (`number`).
///   1. A leads a load of k. B reads k from L2, and the server answers v1; the reply is on its way.
///   2. A's load stores v2 at L2, keeps it in L1, and returns it.
///   3. B's read lands. If it kept v1 in L1, A's next call would get v1.
/// (The same where A's load removes the value, and where B leads a load, of which reading L2 is the first step.)
/// The reply may as well be newer than v2, if P wrote v3 after step 2. So L1 keeps neither: the next caller reads L2.
///
/// Case 13: what a load's claim rests on is removed before its loader begins (`revoked`).
///   1. A reads k from L2, to replace what stands there: nothing but that value shows that A's claim stands.
///   2. P removes k, and the channel reports it. A's loader begins, and reads v1.
///   3. The source changes to v2. P removes k once more: nothing is there, so nothing is reported.
///   4. B asks for k and would join A's flight.
/// So a report counts from the request on by which the claim was taken or last seen to stand, and not from the
/// beginning of the loader.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/detail/load.hpp>

#include "base/lease_token.hpp"
#include "base/mutex.hpp"
#include "base/send_order.hpp"
#include "entry/tags.hpp"
#include "l1/fill_epoch.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A load that waits for a background thread. Whoever begins it first runs it: the thread it was queued for, or a
/// caller that must not wait for that thread. Thread-safe.
class QueuedLoad {
 public:
  virtual ~QueuedLoad() = default;
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
        names_tags(spec.names_tags),
        sequence(now) {}

  KeyView key() const { return {name, full, hash}; }
  /// Its function, or a tag that was known before its value, was invalidated since it began. Of a load: a fill or a
  /// write may have no identity.
  bool is_invalidated() const {
    return identity->cleared.load(std::memory_order_acquire) > sequence || tags.invalidated() > sequence;
  }

  /// As valid_before: no caller is too late for the value.
  static constexpr std::uint64_t kValid = std::numeric_limits<std::uint64_t>::max();

  const std::string name, full;
  const std::uint64_t hash;
  const TypeOps* const type;
  const IdentityRef identity;
  /// Known before the value is; the value may name more.
  const std::vector<std::string> tag_names;
  const bool names_tags;
  /// The invalidation sequence when the load began: whatever was invalidated later, this value does not count for.
  const std::uint64_t sequence;
  TagSet tags;
  FlightKind kind = FlightKind::load;
  /// The caller asked for a refresh: only a load that begins after it will do.
  bool forced = false;
  /// Its caller has asked L2 in vain: the rest of its load_timeout is for the loader.
  bool skips_l2 = false;
  /// The thread whose loader asked for it; 0: it was no loader.
  std::uint64_t inside = 0;
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
    bool closed = false;        ///< its claim is being given up: no caller joins
    bool superseded = false;    ///< a refresh began later: no caller joins, and that one's value, once there, stays
    TimePoint loading_since{};  ///< by the cache's clock
    std::uint64_t fill_epoch = FillEpoch::kNever;  ///< FillEpoch::current() when that request was sent
    std::uint64_t epoch_at_load = 0;               ///< and when its loader began
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
  /// No caller waits, so its lease was not renewed and has expired. No caller joins: the loader may hang.
  std::atomic<bool> lapsed{false};

  /// Its leader's: see `waits`.
  void wait_for(const LeaseToken& lease, std::uint64_t thread) {
    {
      const MutexLock lock(mutex);
      waits = true;
      waits_for_lease = lease;
      waits_for_thread = thread;
    }
    landing.notify_all();
  }
  void wait_no_more() {
    const MutexLock lock(mutex);
    waits = false;
  }

  /// Nothing where its leader waits for no other load.
  std::optional<LeaseToken> awaited_lease() {
    const MutexLock lock(mutex);
    return waits ? std::optional(waits_for_lease) : std::nullopt;
  }

  /// It has ended: `note` writes how.
  template <class Note>
  void finish(Note note) {
    {
      const MutexLock lock(mutex);
      note();
      landed = true;
    }
    landing.notify_all();
  }

  Mutex mutex;
  std::condition_variable landing;
  std::weak_ptr<QueuedLoad> queued DSTA_GUARDED_BY(mutex);
  bool landed DSTA_GUARDED_BY(mutex) = false;
  /// Its leader waits for another load before it runs its own: for the one that has this lease, or that this thread
  /// runs (0: neither is known).
  bool waits DSTA_GUARDED_BY(mutex) = false;
  LeaseToken waits_for_lease DSTA_GUARDED_BY(mutex){};
  std::uint64_t waits_for_thread DSTA_GUARDED_BY(mutex) = 0;

  // How it ended: written before `landed` is set, under `mutex`, and never changed afterwards.
  bool abandoned = false;  ///< its loader never ran
  /// Abandoned because others of its batch come first: its leader, too, asks once more.
  bool deferred = false;
  NodeRef value;                      ///< null and no error: the source does not know the key
  Freshness found = Freshness::miss;  ///< of a value of L2, when it was read
  bool from_l2 = false;               ///< the value was found at L2
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
