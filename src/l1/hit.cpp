/// The hit path, whole: what a call of a wrapped function runs when its value is there. In one file so that the
/// compiler sees it as one piece.
#include <dsta/cache/detail/core.hpp>

#include "base/cached_clock.hpp"
#include "l1/shard.hpp"
#include "l1/store.hpp"
#include "l1/unbroken_run.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
[[gnu::always_inline]] inline bool matches(const Node& node, const KeyView& key) {
  return same_padded(node.name(), key.name) && (key.by_name || node.full() == key.full);
}
}  // namespace

Shard& Store::shard(std::uint64_t hash) const noexcept { return shards_[hash & mask_]; }

Freshness Store::find(const KeyView& key, const TypeOps& type, const Identity* reader, TimePoint now,
                      NodeRef& out) noexcept {
  Shard& home = shard(key.hash);
  Freshness freshness = Freshness::miss;
  const auto is_key = [&](const Node& node) { return matches(node, key); };
  home.table.read(thread_record(), key.hash, is_key, [&](Node& node) {
    if (!node.type->serves(type)) return;
    freshness = judge(node, reader, now);
    if (freshness == Freshness::fresh) out = Shard::use(node, now);
  });
  if (freshness == Freshness::fresh || freshness == Freshness::miss) return freshness;
  return find_aged(key, type, reader, now, out);
}

[[gnu::always_inline]] inline bool Store::copy(ThreadRecord& record, const KeyView& key, const TypeOps& type,
                                               const Identity* reader, TimePoint now, void* out) noexcept {
  bool copied = false;
  const auto is_key = [&](const Node& node) { return matches(node, key); };
  shard(key.hash).table.read(record, key.hash, is_key, [&](Node& node) {
    if (!node.type->serves(type) || judge(node, reader, now) != Freshness::fresh) return;
    Shard::note_read(node, now);
    copy_words(out, node.value(), type.size);
    copied = true;
  });
  return copied;
}

/// With L2 the ticker's time only where the thread has not been stopped since a tick that was seen to be current: after
/// a stop it may read for a while before the ticker runs, and what it has kept may have been invalidated meanwhile.
inline TimePoint Core::hit_time(const ThreadRecord& record) const noexcept {
  if (!reads_system_clock_) [[unlikely]]
    return options_.clock->now();
  return !shared_ || UnbrokenRun::goes_on(record) ? CachedClock::now() : hit_time_after_break(record);
}

TimePoint Core::hit_time_after_break(const ThreadRecord& record) noexcept {
  bool ticks = false;
  UnbrokenRun::begin(record);  // before the look at the tick: a stop between the two breaks the run again
  const TimePoint time = CachedClock::now_after_break(ticks);
  if (!ticks) UnbrokenRun::end(record);
  return time;
}

/// trusts_l1(), by a time that was read already where that is the steady clock's. Acquire: the entry is looked for
/// after this, and what the channel had removed by then is gone.
inline bool Core::may_read(TimePoint time) const noexcept {
  return !shared_ || (reads_system_clock_ ? time : coarse_now()) < trusted_until_.load(std::memory_order_acquire);
}

Core::L1View Core::l1_view(TimePoint time) const noexcept {
  if (time < trusted_until_.load(std::memory_order_acquire)) return {};
  return {.current = false, .own_valid = own_dropped_.load(std::memory_order_acquire)};
}

bool Core::L1View::hides_while_not_current(const Node& node) const noexcept {
  return node.shared || (!own_valid && heeds_others(node));
}

Freshness Core::read(const KeyView& key, const TypeOps& type, const Identity* reader, NodeRef& out) noexcept {
  const TimePoint time = hit_time(thread_record());
  const L1View view = may_read(time) ? L1View{} : l1_view();
  const Freshness freshness = store_->find(key, type, reader, time, out);
  if (out && view.hides(*out)) [[unlikely]]
    return out.reset(), Freshness::miss;
  return freshness;
}

bool Core::hit_bitwise(const KeyView& key, const TypeOps& type, Identity& reader, void* out) noexcept {
  ThreadRecord& record = thread_record();
  const TimePoint time = hit_time(record);
  if (!may_read(time)) [[unlikely]]
    return false;
  if (!store_->copy(record, key, type, &reader, time, out)) return false;
  reader.counters.add(record, Count::hits);
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
