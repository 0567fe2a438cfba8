#include "shard.hpp"

#include <algorithm>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Shard::remove(Node* node, Unlinked& dead) {
  table.remove(node);
  wheel.remove(node);
  policy.remove(node);
  dead.take(node);
}

bool Shard::insert(Node* old, NodeRef fresh, TimePoint now, Unlinked& dead) {
  Node* node = fresh.get();
  if (node->weight > max_bytes ||
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
    table.insert(node);
    if (table.capacity() != before) policy.resize(table.capacity());
    policy.add(node);
  }
  wheel.add(node);
  reclaim(now, 16, dead);
  shrink(node, dead);
  return true;
}

void Shard::reclaim(TimePoint now, std::size_t limit, Unlinked& dead) {
  wheel.advance(now, limit, [&](Node* node) {
    table.remove(node);
    policy.remove(node);
    dead.take(node);
    ++expirations;
  });
}

void Shard::shrink(const Node* newest, Unlinked& dead) {
  const std::size_t budget = max_bytes > overhead() ? max_bytes - overhead() : 0;
  policy.settle(budget);
  while (policy.weight() > budget || (max_entries != 0 && table.size() > max_entries)) {
    Node* victim = policy.victim(budget);
    if (!victim || (victim == newest && table.size() == 1)) break;
    remove(victim, dead);
    ++evictions;
  }
}

void Unlinked::free_unread() {
  Node* batch = nullptr;
  {
    const std::lock_guard lock(shard_.lock);
    batch = std::exchange(shard_.retired, nullptr);
    shard_.retired_count = shard_.retired_weight = 0;
  }
  const auto announced = Hazards::announced();
  Node* kept = nullptr;
  Node* last = nullptr;
  std::size_t count = 0, weight = 0;
  while (batch) {
    Node* node = std::exchange(batch, batch->next);
    if (!std::ranges::binary_search(announced, node)) {
      NodeRef(node).reset();
      continue;
    }
    node->next = kept;
    kept = node;
    if (!last) last = node;
    ++count;
    weight += node->weight;
  }
  if (!kept) return;
  const std::lock_guard lock(shard_.lock);
  last->next = shard_.retired;
  shard_.retired = kept;
  shard_.retired_count += count;
  shard_.retired_weight += weight;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
