#pragma once
#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <dsta/cache/detail/node.hpp>

#include "l1/node_stack.hpp"
#include "l1/sketch.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How much entries are: their weight in bytes, and how many they are.
struct Size {
  std::size_t weight = 0;
  std::size_t entries = 0;
};

/// What a shard may hold: bytes, and entries if these are bounded, too.
struct Bounds {
  std::size_t weight = 0;
  std::size_t entries = kNoBound;

  static constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();

  bool hold(const Size& size) const { return size.weight <= weight && size.entries <= entries; }
  /// The eviction window's part of them: a tenth, but one entry at least, or a newcomer could be the next victim.
  Bounds window() const {
    return {weight / 10, entries == kNoBound ? kNoBound : std::max<std::size_t>(entries / 10, 1)};
  }
  /// What the window leaves.
  Bounds main() const {
    const Bounds part = window();
    return {weight - part.weight, entries == kNoBound ? kNoBound : entries - part.entries};
  }
};

/// A doubly linked list through Node::previous/next. One thread.
/// Invariant: `size` and `reach` are sums over its nodes, whose weights do not change while they are on it.
class NodeList {
 public:
  void push_back(Node* node) {
    node->previous = tail_;
    node->next = nullptr;
    (tail_ ? tail_->next : head_) = node;
    tail_ = node;
    size_.weight += node->weight;
    ++size_.entries;
    reach_ += reach(*node);
  }
  void remove(Node* node) {
    (node->previous ? node->previous->next : head_) = node->next;
    (node->next ? node->next->previous : tail_) = node->previous;
    assert(size_.weight >= node->weight && size_.entries > 0);
    size_.weight -= node->weight;
    --size_.entries;
    reach_ -= reach(*node);
  }
  Node* front() const { return head_; }
  const Size& size() const { return size_; }
  std::size_t weight() const { return size_.weight; }
  /// Leaves it empty.
  void move_to(NodeStack& stack) noexcept {
    if (head_) stack.push_chain(head_, tail_, size_.entries, size_.weight, reach_);
    *this = NodeList();
  }

 private:
  Node* head_ = nullptr;
  Node* tail_ = nullptr;
  Size size_;
  std::size_t reach_ = 0;
};

/// The eviction policy: which entries go when the budget is used up. One thread (the shard's lock).
///
/// Idea: new entries pass through a FIFO window of a tenth of the bounds. What leaves the window contends with the next
/// victim of the main area for its place, and the one seen more often lately (by the sketch) stays. The main area is a
/// CLOCK: a hit only raises a 2-bit counter in the node, and the hand gives an entry one more round for each count. So
/// a scan of keys that never come back flows through the window, and a hit moves nothing in memory.
/// The sketch is fed by insertions and by the hand, never by hits: the hit path stays free of it.
///
/// Invariants:
///  - an entry is on exactly one list, the one that its `place` names; with Place::none it is on no list;
///  - counters, and only they, are on the pinned list, and are never victims;
///  - `frequency` is at most 3; readers raise it without the lock, only the hand lowers it.
/// Cost: O(1) amortised, since the hand lowers a counter at every step that does not evict.
///
/// After W-TinyLFU (Einziger, Friedman & Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM ToS 13(4),
/// 2017, https://doi.org/10.1145/3149371), with a FIFO window in place of LRU, and CLOCK (Corbató, "A Paging Experiment
/// with the Multics System", 1968, https://multicians.org/paging-experiment.pdf) in place of segmented LRU.
class WindowClockPolicy {
 public:
  static void touch(Node& node) {
    // Racing readers may lose a count; once it is full nobody writes any more.
    const auto seen = node.frequency.load(std::memory_order_relaxed);
    if (seen < 3) node.frequency.store(static_cast<std::uint8_t>(seen + 1), std::memory_order_relaxed);
  }

  void add(Node* node) {
    sketch_.add(node->hash);
    enter(node, node->counter ? Place::pinned : Place::window);
  }

  /// `node` takes the place of `old`, which is removed: a new value does not make its key a newcomer.
  void replace(Node* old, Node* node) {
    const Place place = node->counter ? Place::pinned : old->place == Place::pinned ? Place::main : old->place;
    node->frequency.store(old->frequency.load(std::memory_order_relaxed), std::memory_order_relaxed);
    remove(old);
    enter(node, place);
  }

  void remove(Node* node) {
    assert(node->place != Place::none);
    list(node->place).remove(node);
    node->place = Place::none;
  }

  /// Hands all entries over.
  void clear(NodeStack& removed) noexcept {
    for (NodeList* const each : {&window_, &main_, &pinned_}) each->move_to(removed);
  }

  std::size_t weight() const { return window_.weight() + main_.weight() + pinned_.weight(); }
  Size size() const { return {weight(), window_.size().entries + main_.size().entries + pinned_.size().entries}; }
  std::size_t pinned_weight() const { return pinned_.weight(); }
  std::size_t bytes() const { return sketch_.bytes(); }
  void resize(std::size_t entries) { sketch_.resize(entries); }

  /// Lets the window's oldest move over while the main area has room. Call after each add.
  void fill_main(const Bounds& bounds) {
    const Bounds window = bounds.window(), main = bounds.main();
    while (!window.hold(window_.size())) {
      const Size with_oldest{main_.weight() + window_.front()->weight, main_.size().entries + 1};
      if (!main.hold(with_oldest)) return;
      promote();
    }
  }

  /// The entry to evict next, still on its list; null when all that is left is pinned.
  Node* victim(const Bounds& bounds) {
    Node* rival = hand();
    Node* candidate = window_.front();
    if (!candidate || (rival && bounds.window().hold(window_.size()))) return rival;
    if (rival && !preferred(*candidate, *rival)) {
      // The hand moves on, or one entry whose counts collide with those of popular keys would hold it for ever.
      turn(rival);
      return candidate;
    }
    if (!rival) return candidate;
    promote();
    return rival;
  }

 private:
  NodeList& list(Place place) { return place == Place::window ? window_ : place == Place::main ? main_ : pinned_; }
  void enter(Node* node, Place place) {
    assert(node->place == Place::none && (place == Place::pinned) == node->counter);
    node->place = place;
    list(place).push_back(node);
  }

  bool preferred(const Node& candidate, const Node& rival) {
    return sketch_.estimate(candidate.hash) + candidate.frequency.load(std::memory_order_relaxed) >
           sketch_.estimate(rival.hash);
  }
  void turn(Node* node) {
    main_.remove(node);
    main_.push_back(node);
  }
  void promote() {
    Node* node = window_.front();
    remove(node);
    enter(node, Place::main);
  }

  /// Moves the hand on to the first entry without a hit since it last came by.
  Node* hand() {
    for (Node* node = main_.front(); node; node = main_.front()) {
      const auto seen = node->frequency.load(std::memory_order_relaxed);
      if (seen == 0) return node;
      node->frequency.store(static_cast<std::uint8_t>(seen - 1), std::memory_order_relaxed);
      sketch_.add(node->hash);
      turn(node);
    }
    return nullptr;
  }

  NodeList window_;
  NodeList main_;
  NodeList pinned_;
  Sketch sketch_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
