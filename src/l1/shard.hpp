#pragma once
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "entry/entry.hpp"
#include "l1/flight.hpp"
#include "l1/node_stack.hpp"
#include "l1/policy.hpp"
#include "l1/spin_lock.hpp"
#include "l1/table.hpp"
#include "l1/wheel.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The flights of a shard by key. One thread (the shard's lock).
class FlightMap {
 public:
  /// Those of all keys with this name.
  template <class Visit>
  void each(const KeyView& key, Visit&& visit) const {
    if (empty()) return;
    for (const std::shared_ptr<Flight>* flight = &heads_[index(key.hash)]; *flight; flight = &(*flight)->next) {
      if ((*flight)->hash == key.hash && (*flight)->name == key.name) visit(*flight);
    }
  }
  template <class Visit>
  void each(Visit&& visit) const {
    for (const auto& head : heads_) {
      for (const std::shared_ptr<Flight>* flight = &head; *flight; flight = &(*flight)->next) visit(*flight);
    }
  }
  void add(const std::shared_ptr<Flight>& flight) noexcept {
    flight->number = ++added_;
    if (++size_ > heads_.size()) rehash();
    link(flight);
  }
  /// Returns the map's reference, for the caller to drop after the lock.
  std::shared_ptr<Flight> remove(Flight& flight) {
    for (std::shared_ptr<Flight>* link = &heads_[index(flight.hash)]; *link; link = &(*link)->next) {
      if (link->get() != &flight) continue;
      std::shared_ptr<Flight> removed = std::move(*link);
      *link = std::move(removed->next);
      if (--size_ == 0 && heads_.size() > kMostEmpty) shrink();
      return removed;
    }
    return nullptr;
  }
  bool empty() const { return size_ == 0; }

 private:
  std::size_t index(std::uint64_t hash) const { return (hash >> 8) & (heads_.size() - 1); }
  void link(std::shared_ptr<Flight> flight) noexcept {
    auto& head = heads_[index(flight->hash)];
    flight->next = std::move(head);
    head = std::move(flight);
  }
  /// After a burst.
  void shrink() noexcept {
    heads_.resize(kMostEmpty);
    heads_.shrink_to_fit();
  }
  void rehash() noexcept {
    std::vector<std::shared_ptr<Flight>> old;
    try {
      old.resize(heads_.size() * 2);
    } catch (const std::bad_alloc&) {  // the chains are longer until the next one tries again
      return;
    }
    old.swap(heads_);
    for (auto& head : old) {
      while (head) {
        auto flight = std::move(head);
        head = std::move(flight->next);
        link(std::move(flight));
      }
    }
  }

  static constexpr std::size_t kMostEmpty = 256;
  std::vector<std::shared_ptr<Flight>> heads_ = std::vector<std::shared_ptr<Flight>>(8);
  std::size_t size_ = 0;
  std::uint64_t added_ = 0;
};

class Unlinked;

/// Entries under new keys since somebody began to look at those that there are.
class Watcher {
 public:
  void note(Node& node) noexcept {
    try {
      added_.push_back(NodeRef::to(node));
    } catch (const std::bad_alloc&) {
      missed_ = true;
    }
  }
  /// There was no memory for all of them: the whole shard is to be looked at.
  bool missed() const { return missed_; }
  std::vector<NodeRef>& added() { return added_; }

 private:
  std::vector<NodeRef> added_;
  bool missed_ = false;
};

/// A part of the store with a lock of its own. Entries are found without it, by `table.read`.
struct alignas(64) Shard {
  Table table;  // written under the lock
  SpinLock lock;
  // All below is under the lock.
  FlightMap flights;
  WindowClockPolicy policy;
  Wheel wheel{TimePoint{}};
  std::size_t max_bytes = 0;
  /// Bytes beside the store that its budget pays, this shard's part of which is one of `parts`.
  const std::atomic<std::size_t>* beside = nullptr;
  std::size_t parts = 1;
  std::size_t max_entries = 0;
  std::uint64_t evictions = 0;
  std::uint64_t expirations = 0;
  /// The invalidation sequence of the last clear(): what a flight older than this brings is not stored.
  std::uint64_t cleared = 0;
  /// Who wants to know of entries under new keys, while he looks at those that are there.
  std::vector<Watcher*> watchers;

  /// Entries that left the table and may still be read by somebody.
  NodeStack retired;
  /// Entries that nobody can be reading any more, to be freed a few at a time.
  NodeStack unread;

  static bool is(const Node& node, const KeyView& key) {
    return node.name() == key.name && (key.by_name || node.full() == key.full);
  }

  [[gnu::always_inline]] Node* find(const KeyView& key) const {
    return table.find(key.hash, [&](const Node& node) { return is(node, key); });
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

  std::size_t overhead() const { return table.bytes() + policy.bytes() + retired.weight() + unread.weight(); }

  void remove(Node* node, Unlinked& dead);

  /// Fences every flight of the key: what they bring is older than what the caller is about to do.
  void fence(const KeyView& key) {
    flights.each(key, [](const std::shared_ptr<Flight>& flight) { flight->fenced = true; });
  }
  /// The same, but for writes, which have an order of their own.
  void fence_reads(const KeyView& key) {
    flights.each(key, [](const std::shared_ptr<Flight>& flight) {
      if (flight->kind != FlightKind::write) flight->fenced = true;
    });
  }
  /// A write that was sent at this point of the order ended, and its value stands there now.
  void tell_rivals(const KeyView& key, SendOrder order) {
    flights.each(key, [&](const std::shared_ptr<Flight>& flight) {
      if (flight->kind != FlightKind::write) return;
      const auto compared = flight->rival <=> order;
      if (flight->rival.sent() && compared == std::partial_ordering::unordered) flight->fenced = true;
      if (!(compared > 0)) flight->rival = order;
    });
  }

  /// What the flights bring that a refresh came after is older than what `last`, begun later, has just brought.
  void fence_superseded(const Flight& last) {
    flights.each(last.key(), [&](const std::shared_ptr<Flight>& flight) {
      if (flight->superseded && flight->number < last.number) flight->fenced = true;
    });
  }

  /// Inserts in place of `old` (null: none) and evicts down to the budget. False: too heavy, or there is no memory for
  /// a larger table; `old` is gone.
  bool insert(Node* old, NodeRef fresh, TimePoint now, Unlinked& dead) noexcept;
  /// Takes out at most `limit` entries whose time is past.
  void reclaim(TimePoint now, std::size_t limit, Unlinked& dead);
  /// Evicts down to the budget.
  void shrink(const Node* newest, Unlinked& dead);

 private:
  /// For entries.
  std::size_t budget() const;
};

/// What an operation takes out of a shard. Declared before the lock is taken, so that entries are freed after it is
/// released: their destructors are user code.
///
/// Whether somebody still reads an entry is looked up for a batch at once, since that takes a barrier on every
/// processor. But the batch is then freed a little with each operation, not at once: an allocator gives a thread that
/// frees as it allocates its own memory back, while bursts go to the arenas of the threads that once allocated, which
/// then fill with holes.
class Unlinked {
 public:
  explicit Unlinked(Shard& shard) : shard_(shard) {}
  Unlinked(const Unlinked&) = delete;
  Unlinked& operator=(const Unlinked&) = delete;
  ~Unlinked() {
    if (due_) look_who_reads();
    DeferDestruction::take(freed_);
  }

  /// Under the shard's lock.
  void take(Node* node) {
    shard_.retired.push(node);
    due_ = due_ || shard_.retired.count() >= kBatch || shard_.retired.whole_weight() >= shard_.max_bytes / 64;
    // One for one keeps step with what comes in; more only to catch up.
    for (int n = shard_.unread.count() > 2 * kBatch ? 2 : 1; n > 0 && !shard_.unread.empty(); --n) {
      freed_.push(shard_.unread.pop());
    }
  }
  /// Frees at the end all that can be.
  void free_all() { due_ = free_all_ = true; }

 private:
  static constexpr std::size_t kBatch = 64;
  void look_who_reads();

  Shard& shard_;
  bool due_ = false;
  bool free_all_ = false;
  NodeStack freed_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
