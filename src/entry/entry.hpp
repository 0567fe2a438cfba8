#pragma once
#include <atomic>
#include <string>

#include <dsta/cache/detail/load.hpp>

#include "base/saturating_add.hpp"
#include "entry/tags.hpp"

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

/// The one rule by which every operation decides whether an entry counts and how fresh it is. `reader` is the wrapped
/// function that asks, null or no function for manual calls: a function never takes what another function stored, nor
/// what is older than its own last cache_clear, also of what was stored by hand.
[[gnu::always_inline]] inline Freshness judge(const Node& node, const Identity* reader, TimePoint now) {
  if (node.identity) {
    if (reader && reader != node.identity && reader->function) return Freshness::miss;
    if (node.sequence < node.identity->cleared.load(std::memory_order_acquire)) return Freshness::miss;
  } else if (reader && node.sequence < reader->cleared.load(std::memory_order_acquire)) {
    return Freshness::miss;
  }
  bool expired = false;
  if (node.extra) {
    const NodeExtra& extra = *node.extra;
    if (node.sequence < extra.tags.removed()) return Freshness::miss;
    expired = node.sequence < extra.tags.expired();
    if (extra.idle_ttl > Duration::zero() && now - extra.last_read.load(std::memory_order_relaxed) >= extra.idle_ttl) {
      return Freshness::miss;
    }
  }
  if (!expired) {
    if (now < node.refresh_at) return Freshness::fresh;
    if (now < node.fresh_until) return Freshness::due;
  }
  return now < node.stale_until && node.stale_until != node.fresh_until ? Freshness::stale : Freshness::miss;
}

/// Other processes may invalidate it although only this one has it: by a tag, or by cache_clear of its function.
inline bool heeds_others(const Node& node) {
  return (node.extra && !node.extra->tags.empty()) || (node.identity && node.identity->function);
}

/// The same once it is known that no refresh is to be started: one is under way, or has just failed.
inline Freshness settled(Freshness freshness) {
  if (freshness == Freshness::due) return Freshness::fresh;
  return freshness == Freshness::stale ? Freshness::serving : freshness;
}

inline bool is_past_ttl(Freshness freshness) {
  return freshness == Freshness::stale || freshness == Freshness::serving;
}

inline bool backs_off(const Node& node, TimePoint now) {
  return now < node.retry_after.load(std::memory_order_relaxed);
}

/// Within its ttl, whoever asks.
inline bool is_fresh(const Node& node, TimePoint now) {
  const Freshness freshness = judge(node, nullptr, now);
  return freshness == Freshness::fresh || freshness == Freshness::due;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
