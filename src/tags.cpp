#include "tags.hpp"

#include <algorithm>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

TagSet TagTable::find(const std::vector<std::string>& names) {
  std::vector<Tag*> found;
  found.reserve(names.size());
  for (const auto& name : names) {
    Stripe& home = stripe(name);
    const std::lock_guard lock(home.mutex);
    Tag& tag = record(home, name);
    tag.references.fetch_add(1, std::memory_order_relaxed);
    found.push_back(&tag);
  }
  return TagSet(std::move(found));
}

void TagTable::invalidate(std::string_view name, std::uint64_t point, bool hard) {
  Stripe& home = stripe(name);
  const std::lock_guard lock(home.mutex);
  Tag& tag = record(home, name);
  raise(hard ? tag.removed : tag.expired, point);
}

Tag& TagTable::record(Stripe& stripe, std::string_view name) {
  if (const auto it = stripe.tags.find(name); it != stripe.tags.end()) return *it->second;
  if (stripe.tags.size() >= stripe.sweep_above) {
    std::erase_if(stripe.tags, [&](const auto& item) {
      const Tag& tag = *item.second;
      if (tag.references.load(std::memory_order_acquire) != 0) return false;
      stripe.dropped_removed = std::max(stripe.dropped_removed, tag.removed.load(std::memory_order_relaxed));
      stripe.dropped_expired = std::max(stripe.dropped_expired, tag.expired.load(std::memory_order_relaxed));
      return true;
    });
    stripe.sweep_above = std::max(kSweepAbove, stripe.tags.size() * 2);
  }
  const auto added = stripe.tags.emplace(name, std::make_unique<Tag>()).first;
  Tag& tag = *added->second;
  tag.name = added->first;
  tag.removed.store(stripe.dropped_removed, std::memory_order_relaxed);
  tag.expired.store(stripe.dropped_expired, std::memory_order_relaxed);
  return tag;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
