#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "../entry.hpp"
#include "../flight.hpp"
#include "policy.hpp"
#include "spin_lock.hpp"
#include "table.hpp"
#include "wheel.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Nodes that left the store, to be released after the lock: their destructors are user code.
class Graveyard {
 public:
  Graveyard() = default;
  Graveyard(const Graveyard&) = delete;
  Graveyard& operator=(const Graveyard&) = delete;
  ~Graveyard() {
    while (Node* node = head_) {
      head_ = node->next;
      NodeRef(node).reset();
    }
  }
  void take(Node* node) {
    node->next = head_;
    head_ = node;
  }

 private:
  Node* head_ = nullptr;
};

/// The flights of a shard by key. One thread (the shard's lock).
class FlightMap {
 public:
  template <class Visit>
  void each(std::uint64_t hash, Visit&& visit) const {
    for (const std::shared_ptr<Flight>* flight = &heads_[index(hash)]; *flight; flight = &(*flight)->next) {
      if ((*flight)->hash == hash) visit(*flight);
    }
  }
  template <class Visit>
  void each(Visit&& visit) const {
    for (const auto& head : heads_) {
      for (const std::shared_ptr<Flight>* flight = &head; *flight; flight = &(*flight)->next) visit(*flight);
    }
  }
  void add(const std::shared_ptr<Flight>& flight) {
    if (++size_ > heads_.size()) rehash();
    flight->attached = true;
    link(flight);
  }
  /// Returns the map's reference, for the caller to drop after the lock.
  std::shared_ptr<Flight> remove(Flight& flight) {
    for (std::shared_ptr<Flight>* link = &heads_[index(flight.hash)]; *link; link = &(*link)->next) {
      if (link->get() != &flight) continue;
      std::shared_ptr<Flight> removed = std::move(*link);
      *link = std::move(removed->next);
      removed->attached = false;
      --size_;
      return removed;
    }
    return nullptr;
  }
  bool empty() const { return size_ == 0; }

 private:
  std::size_t index(std::uint64_t hash) const { return (hash >> 8) & (heads_.size() - 1); }
  void link(std::shared_ptr<Flight> flight) {
    auto& head = heads_[index(flight->hash)];
    flight->next = std::move(head);
    head = std::move(flight);
  }
  void rehash() {
    std::vector<std::shared_ptr<Flight>> old(heads_.size() * 2);
    old.swap(heads_);
    for (auto& head : old) {
      while (head) {
        auto flight = std::move(head);
        head = std::move(flight->next);
        link(std::move(flight));
      }
    }
  }

  std::vector<std::shared_ptr<Flight>> heads_ = std::vector<std::shared_ptr<Flight>>(8);
  std::size_t size_ = 0;
};

/// A part of the store with a lock of its own.
struct alignas(64) Shard {
  SpinLock lock;
  // All below is under the lock.
  Table table;
  FlightMap flights;
  WindowClockPolicy policy;
  Wheel wheel{TimePoint{}};
  std::size_t max_bytes = 0;
  std::size_t max_entries = 0;
  std::uint64_t evictions = 0;
  std::uint64_t expirations = 0;

  static bool is(const Node& node, const KeyView& key) { return node.name() == key.name && node.full() == key.full; }

  Node* find(const KeyView& key) const {
    return table.find(key.hash, [&](const Node& node) { return is(node, key); });
  }

  /// Notes a read and returns a reference that outlives the lock.
  static NodeRef use(Node& node, TimePoint now) {
    WindowClockPolicy::touch(node);
    if (node.extra) node.extra->last_read.store(now, std::memory_order_relaxed);
    node.references.fetch_add(1, std::memory_order_relaxed);
    return NodeRef(&node);
  }

  std::size_t overhead() const { return table.bytes() + policy.bytes(); }

  void remove(Node* node, Graveyard& dead) {
    table.remove(node);
    wheel.remove(node);
    policy.remove(node);
    dead.take(node);
  }

  /// Fences every flight of the key: what they bring is older than what the caller is about to do.
  void fence(const KeyView& key) {
    if (flights.empty()) return;
    flights.each(key.hash, [&](const std::shared_ptr<Flight>& flight) {
      if (flight->name == key.name && flight->full == key.full) flight->fenced = true;
    });
  }

  /// Inserts in place of `old` (null: none) and evicts down to the budget. False: too heavy, and `old` is gone.
  bool insert(Node* old, NodeRef fresh, TimePoint now, Graveyard& dead) {
    Node* node = fresh.get();
    if (node->weight > max_bytes || (node->counter && policy.pinned_weight() + node->weight > max_bytes / 2)) {
      if (old) remove(old, dead);
      dead.take(fresh.release());
      return false;
    }
    fresh.release();
    if (old) {
      table.replace(old, node);
      wheel.remove(old);
      policy.replace(old, node);
      dead.take(old);
    } else {
      const std::size_t before = table.capacity();
      table.insert(node);
      if (table.capacity() != before) policy.resize(table.capacity());
      policy.add(node);
    }
    wheel.add(node);
    reclaim(now, 16, dead);
    shrink(node, dead);
    return true;
  }

  void reclaim(TimePoint now, std::size_t limit, Graveyard& dead) {
    wheel.advance(now, limit, [&](Node* node) {
      table.remove(node);
      policy.remove(node);
      dead.take(node);
      ++expirations;
    });
  }

 private:
  void shrink(const Node* newest, Graveyard& dead) {
    const std::size_t budget = max_bytes > overhead() ? max_bytes - overhead() : 0;
    policy.settle(budget);
    while (policy.weight() > budget || (max_entries != 0 && table.size() > max_entries)) {
      Node* victim = policy.victim(budget);
      if (!victim || (victim == newest && table.size() == 1)) break;
      remove(victim, dead);
      ++evictions;
    }
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
