#pragma once
#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Finds the expired entries without looking at the others. One thread (the shard's lock).
///
/// Idea: a hierarchical timing wheel: four rings of 64 slots, of 1.07 s, 69 s, 73 min and 78 h a slot, and a list for
/// what lies beyond. When the hand reaches a slot of an outer ring, its entries move to inner rings.
///
/// Invariants:
///  - an entry that expires is in one slot, the one that `wheel_slot` names; one that does not is in none;
///  - an entry in ring n expires within the next 64^(n+1) ticks, and in the innermost ring no later than its slot;
///  - `tick_` never goes back.
/// Cost: adding and removing are O(1); an entry moves at most once per ring, and from the list beyond once per 207
/// days. An entry is reclaimed up to one slot after its time; readers compare its time themselves, so it is never
/// served.
///
/// After Varghese & Lauck, "Hashed and Hierarchical Timing Wheels", SOSP '87, https://doi.org/10.1145/41457.37504.
class Wheel {
 public:
  explicit Wheel(TimePoint now) : tick_(tick_of(now)) {}

  void add(Node* node) {
    if (node->stale_until == TimePoint::max()) return;
    const std::int64_t tick = std::max(tick_of(node->stale_until), tick_);
    const std::int64_t distance = tick - tick_;
    std::size_t level = 0;
    while (level < kLevels && distance >> (6 * (level + 1)) != 0) ++level;
    link(node, level == kLevels ? kBeyond : level * 64 + static_cast<std::size_t>(tick >> (6 * level) & 63));
    ++size_;
  }

  void remove(Node* node) {
    if (node->stale_until == TimePoint::max()) return;
    assert(size_ > 0);
    unlink(node);
    --size_;
  }

  /// Forgets all entries.
  void clear() noexcept {
    slots_.fill(nullptr);
    size_ = 0;
  }

  /// Hands over at most `limit` entries whose time is past, each removed from the wheel. Works through the time since
  /// the last call in bounded steps.
  template <class Expired>
  void advance(TimePoint now, std::size_t limit, Expired&& expired) {
    const std::int64_t target = tick_of(now);
    if (size_ == 0) tick_ = std::max(tick_, target);
    const std::size_t most_ticks = limit * kTicksPerEntry;
    for (std::size_t ticks = 0; tick_ < target && ticks < most_ticks; ++ticks) {
      // The slot of tick_ holds what ran out before the tick ended, and now is past its end.
      for (auto& head = slots_[static_cast<std::size_t>(tick_ & 63)]; head;) {
        if (limit-- == 0) return;
        Node* node = head;
        remove(node);
        expired(node);
      }
      ++tick_;
      for (std::size_t level = 1; level <= kLevels && (tick_ & ((std::int64_t{1} << (6 * level)) - 1)) == 0; ++level) {
        spread(level == kLevels ? kBeyond : level * 64 + static_cast<std::size_t>(tick_ >> (6 * level) & 63));
      }
    }
  }

 private:
  static constexpr std::size_t kLevels = 4;
  static constexpr std::size_t kBeyond = kLevels * 64;
  /// An empty slot costs about a nanosecond to pass.
  static constexpr std::size_t kTicksPerEntry = 64;

  static std::int64_t tick_of(TimePoint time) { return time.time_since_epoch().count() >> 30; }

  /// Puts a slot's entries where they belong now that their time is nearer.
  void spread(std::size_t slot) {
    Node* node = slots_[slot];
    slots_[slot] = nullptr;
    while (node) {
      Node* next = node->wheel_next;
      --size_;
      if (tick_of(node->stale_until) <= tick_) {
        link(node, static_cast<std::size_t>(tick_ & 63));
        ++size_;
      } else {
        add(node);
      }
      node = next;
    }
  }

  void link(Node* node, std::size_t slot) {
    assert(slot <= kBeyond);
    node->wheel_slot = static_cast<std::uint16_t>(slot) & 0xfff;
    node->wheel_previous = nullptr;
    node->wheel_next = slots_[slot];
    if (node->wheel_next) node->wheel_next->wheel_previous = node;
    slots_[slot] = node;
  }

  void unlink(Node* node) {
    assert(node->wheel_previous || slots_[node->wheel_slot] == node);
    (node->wheel_previous ? node->wheel_previous->wheel_next : slots_[node->wheel_slot]) = node->wheel_next;
    if (node->wheel_next) node->wheel_next->wheel_previous = node->wheel_previous;
  }

  std::array<Node*, kBeyond + 1> slots_{};
  std::int64_t tick_;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
