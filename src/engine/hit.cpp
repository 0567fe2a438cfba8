/// The hit path: what a call of a wrapped function runs when its value is in L1. In one file with the store's part of
/// it so that the compiler sees it as one piece.
#include "l1/hit.hpp"
#include "base/cached_clock.hpp"
#include "engine/engine.hpp"
#include "l1/unbroken_run.hpp"

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
  if (!context_.reads_system_clock) [[unlikely]]
    return context_.options.clock->now();
  return !trust_.limited() || UnbrokenRun::goes_on(record) ? CachedClock::now() : hit_time_after_break(record);
}

/// Whether L1 may be read, by a time that was read already where that is the steady clock's.
inline bool Engine::may_read(TimePoint time) const noexcept {
  return !trust_.limited() || trust_.holds_at(context_.reads_system_clock ? time : coarse_now());
}

[[gnu::always_inline]] inline Freshness Engine::read_node(ThreadRecord& record, const KeyView& key, const TypeOps& type,
                                                          const Identity* reader, NodeRef& out) noexcept {
  const TimePoint time = hit_time(record);
  const L1View view(trust_, may_read(time));
  const Freshness freshness = context_.store.find(record, key, type, reader, time, out);
  if (!view.current() && (!out || view.hides(*out))) [[unlikely]]
    return out.reset(), Freshness::miss;
  return freshness;
}

Freshness Core::read(const KeyView& key, const TypeOps& type, const Identity* reader, NodeRef& out) noexcept {
  return engine_of(*this).read_node(thread_record(), key, type, reader, out);
}

bool Core::hit_node(const KeyView& key, const TypeOps& type, Identity& reader, NodeRef& out) noexcept {
  ThreadRecord& record = thread_record();
  if (engine_of(*this).read_node(record, key, type, &reader, out) != Freshness::fresh) return false;
  reader.counters.add(record, Count::hits);
  return true;
}

namespace {

struct ByKey {
  const KeyView& key;
  [[gnu::always_inline]] bool operator()(const Node& node) const { return matches(node, key); }
};
struct ByText {
  std::string_view text;
  [[gnu::always_inline]] bool operator()(const Node& node) const { return same_text(node.name(), text); }
};

}  // namespace

/// A fresh entry's value. Where L1 may not be read, as if there were a stale one.
template <class IsKey>
[[gnu::always_inline]] inline Freshness Engine::copy_fresh(ThreadRecord& record,
                                                           const Store::CopyingRead<IsKey>& read) {
  const TimePoint time = hit_time(record);
  if (!may_read(time)) [[unlikely]]
    return Freshness::stale;
  return context_.store.copy(record, read, time);
}

bool Core::hit_by(const KeyView& key, const TypeOps& type, Identity& reader, Copier* copier, void* out) {
  ThreadRecord& record = thread_record();
  const Store::CopyingRead<ByKey> read{key.hash, {key}, type, &reader, copier, out};
  if (engine_of(*this).copy_fresh(record, read) != Freshness::fresh) return false;
  reader.counters.add(record, Count::hits);
  return true;
}

template <class IsKey>
[[gnu::always_inline]] inline Freshness Engine::count_manual_hit(const EntryOptions& options,
                                                                 const Store::CopyingRead<IsKey>& read) {
  const bool two_levels = levels_.has_l2() && read.type.shareable;
  if (two_levels) [[unlikely]] {
    if (!reach(options).l1) return Freshness::stale;
  }
  ThreadRecord& record = thread_record();
  const Freshness freshness = copy_fresh(record, read);
  if (freshness == Freshness::fresh) {
    context_.identities.manual(options.prefix).counters.add(record, Count::hits);
  } else if (two_levels) {
    return Freshness::stale;
  } else {
    levels_.reachable();
  }
  return freshness;
}

Freshness Core::hit_manual(const KeyView& key, const TypeOps& type, const EntryOptions& options, Copier* copier,
                           void* out) {
  const Store::CopyingRead<ByKey> read{key.hash, {key}, type, nullptr, copier, out};
  return engine_of(*this).count_manual_hit(options, read);
}

Freshness Core::hit_text(std::string_view key, const TypeOps& type, const EntryOptions& options, Copier* copier,
                         void* out) {
  const Store::CopyingRead<ByText> read{hash_bytes(key), {key}, type, nullptr, copier, out};
  return engine_of(*this).count_manual_hit(options, read);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
