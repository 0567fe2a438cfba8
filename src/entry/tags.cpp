#include "entry/tags.hpp"

#include <algorithm>

#include <dsta/cache/detail/weigh.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::size_t Tag::weight() const {
  // A node of the table: the next one's address, the pair, the hash.
  constexpr std::size_t kRecord = allocation(sizeof(TagStripe::Tags::value_type) + 2 * sizeof(void*));
  return kRecord + (name.size() <= 15 ? 0 : allocation(name.size() + 1));
}

void Tag::release() noexcept {
  // The last reference is given up under the stripe's lock only, where records are also looked for: so nobody finds one
  // that is about to go.
  std::uint32_t seen = references.load(std::memory_order_relaxed);
  while (seen > 1) {
    if (references.compare_exchange_weak(seen, seen - 1, std::memory_order_release, std::memory_order_relaxed)) return;
  }
  home->release(*this);
}

Tag& TagStripe::find(std::string_view name) {
  const MutexLock lock(mutex_);
  Tag& tag = record(name);
  if (tag.idle) unlink(tag);
  if (tag.references.fetch_add(1, std::memory_order_relaxed) == 0) {
    charged_->fetch_add(tag.weight(), std::memory_order_relaxed);
  }
  return tag;
}

void TagStripe::invalidate(std::string_view name, std::uint64_t point, bool hard) noexcept {
  const MutexLock lock(mutex_);
  Tag* found = nullptr;
  try {
    found = &record(name);
  } catch (const std::bad_alloc&) {
    // There is no record of it, so no entry has it. It is as if it had been invalidated and forgotten since.
    std::uint64_t& forgotten = hard ? forgotten_removed_ : forgotten_expired_;
    forgotten = std::max(forgotten, point);
    return;
  }
  Tag& tag = *found;
  raise(hard ? tag.removed : tag.expired, point);
  if (tag.references.load(std::memory_order_relaxed) != 0) return;
  if (tag.idle) unlink(tag);
  rest(tag);
}

void TagStripe::release(Tag& tag) noexcept {
  const MutexLock lock(mutex_);
  if (tag.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  charged_->fetch_sub(tag.weight(), std::memory_order_relaxed);
  rest(tag);
}

Tag& TagStripe::record(std::string_view name) {
  if (const auto it = tags_.find(name); it != tags_.end()) return it->second;
  if (tags_.bucket_count() > kFreeBuckets && tags_.bucket_count() / 4 > tags_.size()) tags_.rehash(tags_.size() * 2);
  const auto added = tags_.try_emplace(std::string(name)).first;
  charge_buckets();
  Tag& tag = added->second;
  tag.home = this;
  tag.name = added->first;
  tag.removed.store(forgotten_removed_, std::memory_order_relaxed);
  tag.expired.store(forgotten_expired_, std::memory_order_relaxed);
  return tag;
}

void TagStripe::charge_buckets() noexcept {
  const std::size_t buckets = tags_.bucket_count();
  const std::size_t bytes = buckets > kFreeBuckets ? buckets * sizeof(void*) : 0;
  charged_->fetch_add(bytes - charged_buckets_, std::memory_order_relaxed);
  charged_buckets_ = bytes;
}

/// Nothing refers to it.
void TagStripe::rest(Tag& tag) noexcept {
  const bool says_nothing = tag.removed.load(std::memory_order_relaxed) <= forgotten_removed_ &&
                            tag.expired.load(std::memory_order_relaxed) <= forgotten_expired_;
  if (says_nothing) return void(tags_.erase(tags_.find(tag.name)));
  tag.idle = true;
  tag.older = newest_idle_;
  (newest_idle_ ? newest_idle_->newer : oldest_idle_) = &tag;
  newest_idle_ = &tag;
  idle_bytes_ += tag.weight();
  while (idle_bytes_ > kMostIdle) forget(*oldest_idle_);
}

void TagStripe::unlink(Tag& tag) noexcept {
  (tag.older ? tag.older->newer : oldest_idle_) = tag.newer;
  (tag.newer ? tag.newer->older : newest_idle_) = tag.older;
  tag.older = tag.newer = nullptr;
  tag.idle = false;
  idle_bytes_ -= tag.weight();
}

void TagStripe::forget(Tag& tag) noexcept {
  unlink(tag);
  forgotten_removed_ = std::max(forgotten_removed_, tag.removed.load(std::memory_order_relaxed));
  forgotten_expired_ = std::max(forgotten_expired_, tag.expired.load(std::memory_order_relaxed));
  tags_.erase(tags_.find(tag.name));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
