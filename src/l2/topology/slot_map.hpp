#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "l2/client/address_map.hpp"
#include "l2/topology/hash_slot.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Link;

/// A master of a cluster, and the link to it.
struct ClusterNode {
  HostPort announced;  ///< where it is, as the nodes say
  std::shared_ptr<Link> link;
  bool is_hearsay = false;  ///< it has slots by a MOVED; what else it has is not known yet
};

/// Which master serves which slot, at one time. Immutable once it is shared.
struct SlotMap {
  static constexpr std::uint16_t kNobody = 0xffff;
  SlotMap() { owners.fill(kNobody); }

  std::vector<ClusterNode> nodes;  ///< those that serve slots, by their announced names
  std::array<std::uint16_t, kSlots> owners;

  /// Null: nobody serves it.
  const ClusterNode* of(Slot slot) const { return owners[slot] == kNobody ? nullptr : &nodes[owners[slot]]; }
  const ClusterNode* find(const HostPort& announced) const {
    for (const ClusterNode& node : nodes) {
      if (node.announced == announced) return &node;
    }
    return nullptr;
  }
  std::size_t holes() const {
    std::size_t count = 0;
    for (const std::uint16_t owner : owners) count += owner == kNobody ? 1 : 0;
    return count;
  }
};

/// From one map to the next.
struct SlotChange {
  /// Somebody else serves these than before, or nobody does.
  std::bitset<kSlots> moved;
  /// Among those who serve slots that were another's is one that served none before, as far as was known: perhaps a
  /// replica that took its master's place, and that may have missed what the former one had confirmed.
  bool may_have_missed = false;
  /// The slot of the namespace's own keys is among those that moved.
  bool home = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
