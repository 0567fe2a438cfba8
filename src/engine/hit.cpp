/// The hit path: what a call of a wrapped function runs when its value is in L1. In one file with the store's part of
/// it so that the compiler sees it as one piece.
#include "l1/hit.hpp"
#include "base/cached_clock.hpp"
#include "l1/unbroken_run.hpp"
#include "two_level/engine.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

TimePoint hit_time_after_break(const ThreadRecord& record) noexcept {
  bool ticks = false;
  UnbrokenRun::begin(record);  // before the look at the tick: a stop between the two breaks the run again
  const TimePoint time = CachedClock::now_after_break(ticks);
  if (!ticks) UnbrokenRun::end(record);
  return time;
}

}  // namespace

/// With L2 the ticker's time only where the thread has not been stopped since a tick that was seen to be current: after
/// a stop it may read for a while before the ticker runs, and what it has kept may have been invalidated meanwhile.
inline TimePoint Engine::hit_time(const ThreadRecord& record) const noexcept {
  if (!reads_system_clock_) [[unlikely]]
    return options_.clock->now();
  return !shared_ || UnbrokenRun::goes_on(record) ? CachedClock::now() : hit_time_after_break(record);
}

/// trusts_l1(), by a time that was read already where that is the steady clock's.
inline bool Engine::may_read(TimePoint time) const noexcept {
  return !shared_ || (reads_system_clock_ ? time : coarse_now()) < trusted_until_.load(std::memory_order_relaxed);
}

bool Engine::l1_lags() const noexcept { return shared_ && !trusts_l1() && store_->trust() % 2 == 1; }

bool Engine::hidden(const Node& node, bool lags) noexcept { return node.shared || (lags && heeds_others(node)); }

Freshness Core::read(const KeyView& key, const TypeOps& type, const Identity* reader, NodeRef& out) noexcept {
  Engine& engine = engine_of(*this);
  const TimePoint time = engine.hit_time(thread_record());
  // Before the look: what was missed may be heard between the two, and then the entry that was found is out of date.
  const bool current = engine.may_read(time);
  const bool lags = !current && engine.l1_lags();
  const Freshness freshness = engine.store_->find(key, type, reader, time, out);
  if (!current && (!out || Engine::hidden(*out, lags))) [[unlikely]]
    return out.reset(), Freshness::miss;
  return freshness;
}

bool Core::hit_bitwise(const KeyView& key, const TypeOps& type, Identity& reader, void* out) noexcept {
  Engine& engine = engine_of(*this);
  ThreadRecord& record = thread_record();
  const TimePoint time = engine.hit_time(record);
  if (!engine.may_read(time)) [[unlikely]]
    return false;
  if (!engine.store_->copy(record, key, type, &reader, time, out)) return false;
  reader.counters.add(record, Count::hits);
  return true;
}
}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
