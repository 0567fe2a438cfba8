#pragma once
#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include <dsta/cache/detail/load.hpp>

#include "base/saturating_add.hpp"
#include "entry/tags.hpp"
#include "entry/validity.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A limit of zero is none.
inline TimePoint deadline(TimePoint from, Duration limit) {
  return limit <= Duration::zero() ? TimePoint::max() : saturating_add(from, limit);
}

/// What only some entries have.
struct NodeExtra {
  TagSet tags;
  /// Of the tags' records that go with the entry. They are charged to the whole store, not to its shard.
  std::size_t tag_bytes = 0;
  std::string etag;
  Duration idle_ttl{};
  std::atomic<TimePoint> last_read{};
};

/// What goes with an entry: its own weight, and the records of its tags.
inline std::size_t reach(const Node& node) { return node.weight + (node.extra ? node.extra->tag_bytes : 0); }

/// The facts about an entry of L1. `reader` is the wrapped function that asks, null or no function for manual calls: a
/// function never takes what another function stored, nor what is older than its own last cache_clear, also of what was
/// stored by hand.
///
/// Returns at the first fact that makes it a miss: on a hit the compiler then leaves nothing of the struct.
[[gnu::always_inline]] inline Validity<TimePoint> validity_of(const Node& node, const Identity* reader, TimePoint now) {
  if (node.identity) {
    if (reader && reader != node.identity && reader->function) return {.foreign = true};
    if (node.sequence < node.identity->cleared.load(std::memory_order_acquire)) return {.removed = true};
  } else if (reader && node.sequence < reader->cleared.load(std::memory_order_acquire)) {
    return {.removed = true};
  }
  bool expired = false;
  if (node.extra) {
    const NodeExtra& extra = *node.extra;
    if (node.sequence < extra.tags.removed()) return {.removed = true};
    expired = node.sequence < extra.tags.expired();
    if (extra.idle_ttl > Duration::zero() && now - extra.last_read.load(std::memory_order_relaxed) >= extra.idle_ttl) {
      return {.idle = true};
    }
  }
  return {.expired = expired,
          .refresh_at = node.refresh_at,
          .fresh_until = node.fresh_until,
          .stale_until = node.stale_until};
}

[[gnu::always_inline]] inline Freshness evaluate(const Node& node, const Identity* reader, TimePoint now) {
  return evaluate(validity_of(node, reader, now), now);
}

/// An invalidation of any of these tags reaches it. What was stored by hand has the tags that it was given.
inline bool carries_all(const Node& node, const std::vector<std::string>& names) {
  return !node.identity || (node.extra ? node.extra->tags.includes(names) : names.empty());
}

/// Other processes may invalidate it although only this one has it: by a tag, or by cache_clear of its function.
inline bool heeds_others(const Node& node) {
  return (node.extra && !node.extra->tags.empty()) || (node.identity && node.identity->function);
}

/// The same where no refresh is to be started: one is under way, or has just failed.
inline Freshness without_refresh(Freshness freshness) {
  if (freshness == Freshness::due) return Freshness::fresh;
  return freshness == Freshness::stale ? Freshness::serving : freshness;
}

inline bool is_within_ttl(Freshness freshness) { return freshness == Freshness::fresh || freshness == Freshness::due; }

inline bool is_past_ttl(Freshness freshness) {
  return freshness == Freshness::stale || freshness == Freshness::serving;
}

inline bool backs_off(const Node& node, TimePoint now) {
  return now < node.retry_after.load(std::memory_order_relaxed);
}

/// Within its ttl, whoever asks.
inline bool is_fresh(const Node& node, TimePoint now) { return is_within_ttl(evaluate(node, nullptr, now)); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
