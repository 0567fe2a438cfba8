#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_annotations.hpp"
#include "entry/entry.hpp"
#include "l1/flight_map.hpp"
#include "l1/node_stack.hpp"
#include "l1/policy.hpp"
#include "l1/spin_lock.hpp"
#include "l1/table.hpp"
#include "l1/watcher.hpp"
#include "l1/wheel.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Unlinked;

/// A part of the store with a lock of its own: entries, the flights of their keys, and what decides which entries go.
/// Entries are found without the lock, by Table::read; all else takes it.
///
/// Invariants, whenever the lock is free:
///  - an entry is in `table`, on one list of `policy`, and in `wheel` unless it never expires; or in none of them;
///  - the weight of the entries, the tables and `reserve` are within the budget, unless all that is left is pinned;
///  - an entry that left the table is in `retired` until nobody can be reading it, then in `unread` until it is freed.
///    These two take no more than `reserve`, but after many were removed at once, or one that is heavier. Then an
///    insertion frees of them what it adds, so that all together never grow over the budget.
struct alignas(64) Shard {
  Table table DSTA_GUARDED_BY(lock);
  SpinLock lock;
  FlightMap flights DSTA_GUARDED_BY(lock);
  WindowClockPolicy policy DSTA_GUARDED_BY(lock);
  Wheel wheel DSTA_GUARDED_BY(lock){TimePoint{}};
  std::size_t max_bytes = 0;  ///< these six never change while the store is in use
  /// The part of it that is kept for removed entries, whatever of that they use. Were it what they use, the entries'
  /// part would grow each time that some are freed, and newcomers would stay without a contest.
  std::size_t reserve = 0;
  /// Bytes beside the store that its budget pays, this shard's part of which is one of `parts`.
  const std::atomic<std::size_t>* beside = nullptr;
  std::size_t parts = 1;
  Shard* all = this;            ///< the first of so many
  std::size_t max_entries = 0;  ///< 0: no bound
  std::uint64_t evictions DSTA_GUARDED_BY(lock) = 0;
  std::uint64_t expirations DSTA_GUARDED_BY(lock) = 0;
  /// The invalidation sequence of the last clear(): what a flight older than this brings is not stored.
  std::uint64_t cleared DSTA_GUARDED_BY(lock) = 0;
  /// Of those who look at the entries without the lock: they are shown entries under new keys.
  std::vector<Watcher*> watchers DSTA_GUARDED_BY(lock);

  /// Entries that left the table and may still be read by somebody.
  NodeStack retired DSTA_GUARDED_BY(lock);
  /// What of them was read when they were looked at last: they are looked at again when enough others have joined.
  std::size_t read_count DSTA_GUARDED_BY(lock) = 0, read_weight DSTA_GUARDED_BY(lock) = 0;
  /// Entries that nobody can be reading any more, to be freed a few at a time.
  NodeStack unread DSTA_GUARDED_BY(lock);
  /// Threads that have taken entries out of `retired` to look for their readers. A thread that frees all entries asks
  /// them to free what they took.
  std::uint32_t looking DSTA_GUARDED_BY(lock) = 0;
  bool free_when_looked DSTA_GUARDED_BY(lock) = false;

  static bool is(const Node& node, const KeyView& key) {
    return node.name() == key.name && (key.by_name || node.full() == key.full);
  }

  [[gnu::always_inline]] Node* find(const KeyView& key) const DSTA_REQUIRES(lock) {
    return table.find(key.hash, [&](const Node& node) { return is(node, key); });
  }
  /// The one of them that is meant. More than one entry has a name where a caller uses the shortened form of a long
  /// key, or where two long keys have one hash.
  template <class Meant>
  Node* find(const KeyView& key, Meant meant) const DSTA_REQUIRES(lock) {
    return table.find(key.hash, [&](const Node& node) { return is(node, key) && meant(node); });
  }

  static void note_read(Node& node, TimePoint now) {
    WindowClockPolicy::touch(node);
    if (node.extra) node.extra->last_read.store(now, std::memory_order_relaxed);
  }
  /// Notes a read and returns a reference that outlives the lock.
  static NodeRef use(Node& node, TimePoint now) {
    note_read(node, now);
    return NodeRef::to(node);
  }

  std::size_t overhead() const DSTA_REQUIRES(lock) {
    return table.bytes() + policy.bytes() + retired.weight() + unread.weight();
  }

  void remove(Node* node, Unlinked& dead) DSTA_REQUIRES(lock);
  /// Removes all entries, without a look at each: they are `retired`.
  void remove_all() noexcept DSTA_REQUIRES(lock);

  /// Removes the entries that are to go.
  template <class Goes>
  void remove_if(Goes goes, Unlinked& dead) DSTA_REQUIRES(lock) {
    table.each([&](Node& node) {
      lock.assert_held();
      if (goes(node)) remove(&node, dead);
    });
  }

  /// Marks all flights.
  void mark_flights(bool Flight::State::*mark) DSTA_REQUIRES(lock) {
    flights.each([&](const std::shared_ptr<Flight>& flight) { flight->state.*mark = true; });
  }
  /// Marks those of the key.
  void mark_flights(const KeyView& key, bool Flight::State::*mark) DSTA_REQUIRES(lock) {
    flights.each(key, [&](const std::shared_ptr<Flight>& flight) { flight->state.*mark = true; });
  }
  /// Fences every flight of the key (case 1 of flight.hpp): what they bring is older than what the caller is about to
  /// do.
  void fence(const KeyView& key) DSTA_REQUIRES(lock) { mark_flights(key, &Flight::State::fenced); }
  /// The same, but for writes, which have an order of their own.
  void fence_reads(const KeyView& key) DSTA_REQUIRES(lock) {
    flights.each(key, [](const std::shared_ptr<Flight>& flight) {
      if (flight->kind != FlightKind::write) flight->state.fenced = true;
    });
  }
  /// A write that was sent at this point of the order ended, and its value stands there now: case 6 of flight.hpp.
  void note_write_order(const KeyView& key, SendOrder order) DSTA_REQUIRES(lock) {
    flights.each(key, [&](const std::shared_ptr<Flight>& flight) {
      if (flight->kind != FlightKind::write) return;
      const auto compared = flight->state.rival <=> order;
      if (flight->state.rival.sent() && compared == std::partial_ordering::unordered) flight->state.fenced = true;
      if (!(compared > 0)) flight->state.rival = order;
    });
  }

  /// Case 5 of flight.hpp: what superseded flights bring is older than what `last`, begun later, has just brought; so
  /// is what the loads of others bring that have the key, too: of another function, type or set of tags, unless their
  /// loader asked for `last`. A value on its way from L2 makes no load older.
  void fence_superseded(const Flight& last) DSTA_REQUIRES(lock) {
    flights.each(last.key(), [&](const std::shared_ptr<Flight>& flight) {
      const bool of_others =
          flight->kind == FlightKind::load &&
          (flight->identity != last.identity || !flight->type->same(*last.type) || flight->tag_names != last.tag_names);
      const bool asked = last.inside != 0 && flight->leader.load(std::memory_order_relaxed) == last.inside;
      const bool older =
          (flight->state.superseded || (of_others && !asked)) && flight->state.number < last.state.number;
      if (older && (last.kind != FlightKind::fill || flight->kind == FlightKind::fill)) flight->state.fenced = true;
    });
  }
  /// Case 12 of flight.hpp: keeps out of L1 what is on its way from L2 and was asked for after `loaded` began. True:
  /// there is some. A later load is not fenced: it may find nothing there, and store what it then loads.
  bool keep_out_later_fills(const Flight& loaded) DSTA_REQUIRES(lock) {
    bool any = false;
    flights.each(loaded.key(), [&](const std::shared_ptr<Flight>& flight) {
      Flight::State& state = flight->state;
      if (state.number < loaded.state.number || state.fill_epoch == FillEpoch::kNever) return;
      if (flight->kind == FlightKind::fill) any = state.fenced = true;
      if (flight->kind == FlightKind::load && !state.loading) any = state.revoked = true;
    });
    return any;
  }

  /// Inserts in place of `old` (null: none) and evicts down to the budget. False: too heavy, or there is no memory for
  /// a larger table; `old` is gone.
  bool insert(Node* old, NodeRef fresh, TimePoint now, Unlinked& dead) noexcept DSTA_REQUIRES(lock);
  /// Takes out at most `limit` entries whose time is past.
  void reclaim(TimePoint now, std::size_t limit, Unlinked& dead) DSTA_REQUIRES(lock);
  /// Evicts down to the bounds.
  void shrink(const Node* newest, Unlinked& dead) DSTA_REQUIRES(lock);

 private:
  /// For entries.
  Bounds bounds() const DSTA_REQUIRES(lock);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
