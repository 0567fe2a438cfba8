/// Writing and removing one entry.
#include "l1/store.hpp"

#include "l1/hit.hpp"
#include "l1/unlinked.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool Store::put(NodeRef node, TimePoint now) {
  const KeyView key{node->name(), node->full(), node->hash, !node->is_long};
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const SpinGuard lock(home.lock);
  home.fence(key);
  return home.insert(home.find(key), std::move(node), now, dead);
}

Store::Exchanged Store::exchange(const NodeRef& expected, NodeRef node, TimePoint now) {
  const KeyView key{node->name(), node->full(), node->hash, !node->is_long};
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const SpinGuard lock(home.lock);
  Node* held = home.find(key);
  if ((held && is_fresh(*held, now) ? held : nullptr) != expected.get()) return Exchanged::changed;
  home.fence(key);
  return home.insert(held, std::move(node), now, dead) ? Exchanged::stored : Exchanged::refused;
}

bool Store::erase(const KeyView& key, TimePoint now) {
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const SpinGuard lock(home.lock);
  home.fence(key);
  bool counted = false;
  while (Node* node = home.find(key)) {
    counted = evaluate(*node, nullptr, now) != Freshness::miss || counted;
    home.remove(node, dead);
  }
  return counted;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
