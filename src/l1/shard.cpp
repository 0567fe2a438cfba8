#include "l1/shard.hpp"

#include "l1/unlinked.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Shard::remove(Node* node, Unlinked& dead) {
  table.remove(node);
  wheel.remove(node);
  policy.remove(node);
  dead.take(node);
}

void Shard::remove_all() noexcept {
  table.clear();  // first, so that no reader finds one later
  wheel.clear();
  policy.clear(retired);
}

bool Shard::insert(Node* old, NodeRef fresh, TimePoint now, Unlinked& dead) noexcept {
  Node* node = fresh.get();
  if (reach(*node) > max_bytes || node->weight == Node::kTooHeavy ||
      (node->counter && !(old && old->counter) && policy.pinned_weight() + node->weight > max_bytes / 2)) {
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
    if (!table.insert(node)) {
      dead.take(node);
      return false;
    }
    if (table.capacity() != before) policy.resize(table.capacity());
    policy.add(node);
    for (Watcher* const watcher : watchers) watcher->note(*node);
  }
  wheel.add(node);
  reclaim(now, 16, dead);
  shrink(node, dead);
  dead.free_some(node->weight);
  return true;
}

void Shard::reclaim(TimePoint now, std::size_t limit, Unlinked& dead) {
  wheel.advance(now, limit, [&](Node* node) {
    lock.assert_held();
    table.remove(node);
    policy.remove(node);
    dead.take(node);
    ++expirations;
  });
}

Bounds Shard::bounds() const {
  const std::size_t taken =
      table.bytes() + policy.bytes() + reserve + (beside ? beside->load(std::memory_order_relaxed) / parts : 0);
  return {max_bytes > taken ? max_bytes - taken : 0, max_entries != 0 ? max_entries : Bounds::kNoBound};
}

void Shard::shrink(const Node* newest, Unlinked& dead) {
  const Bounds allowed = bounds();
  policy.fill_main(allowed);
  while (!allowed.hold(policy.size())) {
    Node* victim = policy.victim(allowed);
    if (!victim || (victim == newest && table.size() == 1)) break;
    remove(victim, dead);
    ++evictions;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
