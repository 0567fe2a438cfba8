#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include <dsta/cache/detail/load.hpp>

#include "l1/fill_epoch.hpp"
#include "l1/flight.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Shard;

/// The in-process store: entries within a budget, and the loads under way for their keys. Thread-safe.
///
/// Entries and flights of a key sit in one shard under one lock, so "is it there, is somebody loading it, or do I?" is
/// one step, and so is "drop the entry and fence its loads". Values are destroyed and copied outside the lock.
class Store {
 public:
  struct Contents {
    std::uint64_t entries = 0, bytes = 0, evictions = 0, expirations = 0;
  };
  struct Joined {
    NodeRef entry;
    Freshness freshness = Freshness::miss;
    std::shared_ptr<Flight> flight;
    bool lead = false;
    bool loading = false;  ///< the flight's loader had begun before this caller came
    /// And since then the invalidation channel reported a change of the key. It may be this process's own, the renewal
    /// of a lease: L2 must show that nothing was invalidated. Or it has run for longer than L1 keeps a value whose
    /// changes may go unreported.
    bool changed = false;

    /// What the flight brings may be out of date for this caller, and only L2 shows whether it is. `channel_up`: the
    /// invalidation channel would have reported a change.
    bool in_doubt(bool channel_up) const { return !lead && (channel_up ? changed : loading); }
  };
  enum class Published { stored, fenced, refused, nothing };

  /// `beside`: bytes outside of the store that its budget pays.
  Store(const L1Options& options, TimePoint now, const std::atomic<std::size_t>* beside = nullptr);
  ~Store();

  // Inline: see hit.hpp.
  inline Freshness find(ThreadRecord& record, const KeyView& key, const TypeOps& type, const Identity* reader,
                        TimePoint now, NodeRef& out) noexcept;
  template <class IsKey>
  struct CopyingRead;
  /// Has `read` copy the value of the entry if that is fresh. The entry is protected for so long, without a count.
  /// The copier runs no user code: whatever reads the store ends the protection.
  template <class IsKey>
  inline Freshness copy(ThreadRecord& record, const CopyingRead<IsKey>& read, TimePoint now);
  /// The entry whatever its type, if it counts.
  NodeRef peek(const KeyView& key, TimePoint now) noexcept;

  /// The entry that a flight is to replace, if it counts for the flight's function.
  NodeRef previous(const Flight& flight, TimePoint now) noexcept;

  /// Stores, replacing what is there and fencing its loads. False: too heavy; what was there is gone all the same.
  bool put(NodeRef node, TimePoint now);
  enum class Exchanged { stored, changed, refused };
  /// Stores if the key's entry is still `expected` (null: none that is fresh).
  Exchanged exchange(const NodeRef& expected, NodeRef node, TimePoint now);
  /// Removes and fences. True when there was an entry that counted.
  bool erase(const KeyView& key, TimePoint now);
  /// What an entry or a load is known by.
  struct Known {
    std::string_view name;
    std::string_view full;     ///< the whole key where it is longer than the name and known; else empty
    const Identity* identity;  ///< of the function that stored it or loads it; null: none that is known
    bool shared;               ///< L2 may have it too
  };
  /// Removes and fences whatever `is_meant`; returns how many entries counted.
  /// `local`, when given, grows by how many of them were not at L2.
  std::size_t erase_matching(const std::function<bool(const Known&)>& is_meant, TimePoint now,
                             std::size_t* local = nullptr);
  /// Frees the entries that no longer count, and what was removed.
  void sweep(TimePoint now);
  /// Removes all entries and fences all loads. The entries' memory is left to sweep, or free_removed, and until then to
  /// insertions.
  void clear(std::uint64_t sequence) noexcept;
  void free_removed() noexcept;

  /// What will do for a caller.
  enum class Wants : std::uint8_t {
    any,      ///< an entry, or a load under way
    own,      ///< the same, but no entry that L2 has, too: others may have invalidated it
    load,     ///< a load under way: entries are not to be read
    refresh,  ///< only a load that begins now
  };
  /// In one step: the entry if it counts, and unless it is fresh or its refresh has just failed, the flight that brings
  /// a new value: one under way that may be joined, or `mine`, now attached (`lead`). With Wants::refresh always the
  /// latter, and older flights are superseded.
  Joined join(std::shared_ptr<Flight> mine, Wants wants, TimePoint now);
  /// What a flight does to the key's entry.
  struct Landing {
    NodeRef replace_by = {};
    bool found = false;          ///< at L2, not brought by a load: loads that are under way may bring newer ones
    bool remove = false;         ///< the source was asked and its answer is not to be kept
    TimePoint retry_after = {};  ///< the source could not be asked: the entry stays, and is not refreshed before
    /// Which entry that is said of: one that was made later is due by its own time.
    TimePoint retry_of = TimePoint::max();
  };
  /// Ends a flight; does nothing to the entry if it was fenced.
  Published land(Flight& flight, Landing landing, TimePoint now);

  // With an L2. A value on its way from or to it is a flight that no caller joins, so that it is fenced by whatever
  // happens to the key in between.

  /// Open while the invalidation channel is up: only then values of L2 are kept.
  FillEpoch& fill_epoch() { return fill_epoch_; }
  /// What L2 has, too, is kept for at most so long from now on; `forever`: for as long as it lives there.
  void limit_shared(Duration most) noexcept { shared_life_.store(most, std::memory_order_relaxed); }
  bool limits_shared() const noexcept { return shared_life_.load(std::memory_order_relaxed) != forever; }
  /// Closes the fill epoch, and drops what other processes invalidate by its tags or its function, and what L2 has too
  /// (unless that is left for later).
  void close_fills(bool drops_l2);
  /// Drops what L2 has too; loads and fills begun before this point of the invalidation sequence are not stored.
  void drop_l2(std::uint64_t sequence);

  /// Attaches a fill or a write. Writes fence the loads and fills under way.
  void begin(const std::shared_ptr<Flight>& flight);
  /// Before each request of a load; with `keep` its answer is to be kept, and what was changed until now does not count
  /// against it.
  void rearm(Flight& flight, bool keep);
  /// Before the request that takes its claim, and by which the server shows whether the claim stands: earlier
  /// reports do not count against it.
  void begin_claim(Flight& flight);
  /// Its loader is about to run. What was changed since the claim was taken, and is changed later, keeps callers from
  /// joining: case 13 of flight.hpp.
  void begin_loading(Flight& flight, TimePoint now);
  /// The same for a load without a claim, unless another one of the key runs, which no caller may join: that one is
  /// returned, to be waited for. So there is one at a time, and callers who come in between share the next.
  std::shared_ptr<Flight> begin_unclaimed(Flight& flight);
  /// A load without a claim that does not wait for another one of the key.
  void begin_unclaimed_beside(Flight& flight);
  /// No caller joins any more; it is stored all the same.
  void stop_joining(Flight& flight);
  bool revoked(const Flight& flight) const;
  /// What it brings is not stored.
  bool fenced(const Flight& flight) const;
  /// Fenced by what was done to its key, and not only to everything.
  bool fenced_by_key(const Flight& flight) const;
  /// No flight under way is stored or joined.
  void fence_loads();
  /// No caller joins the load any more.
  void supersede(Flight& flight);
  /// Ends a write. What stood there goes; `node` (null: it is not known to stand at L2) takes its place if it is sure
  /// to be what others see: of writes to one key that cross, that is the one that was sent last.
  void end_write(Flight& flight, NodeRef node, SendOrder order, TimePoint now);
  /// Another process changed the key, or `leads` has taken its lease, which revokes the others: case 11 of flight.hpp.
  void revoke(const KeyView& key, const Flight* leads = nullptr);

  Contents contents(TimePoint now);
  void clear_counts();

 private:
  /// A load that runs for longer than limit_shared allows.
  bool outlives_bound(const Flight& flight, TimePoint now) const noexcept;
  inline Shard& shard(std::uint64_t hash) const noexcept;
  std::span<Shard> shards() const noexcept;
  /// find for an entry that is not simply fresh: needs the lock to see whether somebody refreshes it.
  Freshness find_aged(const KeyView& key, const TypeOps& type, const Identity* reader, TimePoint now,
                      NodeRef& out) noexcept;

  bool keeps(const Flight& flight, const Node& node) const;
  void limit_life(Node& node, TimePoint now) const noexcept;
  template <class Goes>
  void drop(std::uint64_t sequence, Goes goes);

  std::unique_ptr<Shard[]> shards_;
  std::size_t mask_ = 0;
  const std::atomic<std::size_t>* const beside_;
  FillEpoch fill_epoch_;
  std::atomic<Duration> shared_life_{forever};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
