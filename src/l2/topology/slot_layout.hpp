#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/address_map.hpp"
#include "l2/resp/reply.hpp"
#include "l2/topology/hash_slot.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Which masters serve which slots, as a node of a cluster says it. Slots may be without a master.
struct SlotLayout {
  struct Range {
    Slot first, last;
    HostPort master;
  };
  std::vector<Range> ranges;
};

/// Who was asked, and how: a node may not know its own address, and has one port for each.
struct AskedNode {
  HostPort place;
  bool tls = false;
};

/// The reply to CLUSTER SHARDS. Nothing: it is none.
std::optional<SlotLayout> read_shards(const Reply& reply, const AskedNode& asked);
/// The reply to CLUSTER SLOTS.
std::optional<SlotLayout> read_slots(const Reply& reply, const AskedNode& asked);

/// What a node says of a command that it did not run.
struct Redirect {
  enum class Kind : std::uint8_t {
    none,
    moved,      ///< another node serves the slot
    ask,        ///< another has the key, since the slot is on its way there
    try_again,  ///< the slot is on its way, and has some of the keys here and some there
    down,       ///< the slot, or the cluster, is not served
  };
  Kind kind = Kind::none;
  Slot slot = 0;        ///< of moved and ask
  HostPort place = {};  ///< likewise
};
Redirect read_redirect(const Reply& reply, const AskedNode& asked);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
