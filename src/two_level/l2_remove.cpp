/// Removals and invalidations at L2, and what becomes of those it does not confirm.
#include <algorithm>

#include <dsta/cache/key.hpp>
#include <dsta/cache/key_text.hpp>

#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "entry/key_pattern.hpp"
#include "l1/store.hpp"
#include "two_level/attempt.hpp"
#include "two_level/l2_cache.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool L2Cache::remove(const KeyView& key, bool raw) {
  const TimeBudget::Operation budget(context_.time_limit());
  const bool here = context_.store.erase(key, context_.now());
  Found before;
  const Done done = attempt([&] { return shared().remote.remove(key.name, before); });
  // In this order: a read that begins now finds the pending invalidation, one that has begun is fenced.
  if (!done) retry_later(Pending::Kind::key, key.name);
  context_.store.erase(key, context_.now());  // what was read from there meanwhile
  if (!done || here) return here;
  if (counts_plain(before, raw)) return true;
  if (before.kind != Found::Kind::value) return false;
  try {
    return counts(before.view);
  } catch (const std::bad_alloc&) {  // it is gone; only whether it still counted is not known
    return true;
  }
}

bool L2Cache::counts(const EnvelopeView& view) {
  std::vector<std::string> names;
  for (const TagVersion& tag : view.tags) names.emplace_back(tag.name);
  Versions versions;
  shared().remote.read({}, names, versions);
  return judge(view, versions, shared().remote.clock().to_server(context_.now()), nullptr).freshness != Freshness::miss;
}

std::size_t L2Cache::remove_matching(const std::shared_ptr<const KeyPattern>& pattern) {
  const TimeBudget::Operation budget(context_.time_limit());
  // A copy of what L2 has is judged as it is there, by its name: one that stayed when L2's went would miss the next
  // invalidation, since L2 has nothing left whose removal it could announce.
  const auto matches = [&](const Store::Known& known) {
    return pattern->concerns(known.name, known.shared ? std::string_view() : known.full) &&
           !pattern->leaves(known.identity);
  };
  try {
    std::size_t local = 0;
    const std::size_t here = context_.store.erase_matching(matches, context_.now(), &local);
    std::size_t there = 0;
    const Done done = attempt([&] { return sweep(*pattern, &there); });
    if (!done) retry_later(pattern);
    std::size_t local_again = 0;
    context_.store.erase_matching(matches, context_.now(), &local_again);
    return done ? there + local + local_again : std::max(here, there + local);
  } catch (
      ...) {  // no memory to look through what is here: the channel says what is removed there, and that goes here too
    retry_later(pattern);
    throw;
  }
}

Done L2Cache::sweep(const KeyPattern& pattern, std::size_t* counted) {
  Remote& remote = shared().remote;
  Versions versions;
  const std::int64_t server_now = remote.clock().to_server(context_.now());
  return remote.remove_matching(pattern, [&](std::span<const Remote::Removed> removed) {
    if (!counted) return;
    std::vector<EnvelopeView> values;
    std::vector<std::string> names;
    for (const auto& [name, head] : removed) {
      if (const auto value = peek_envelope(head, remote.keys().entry(name))) {
        values.push_back(*value);
        for (const TagVersion& tag : value->tags) names.emplace_back(tag.name);
      } else if (!looks_like_envelope(head) || (head.size() == Remote::kShown && looks_like_value(head))) {
        ++*counted;  // a counter, a raw value, or a value of so many tags that they were not shown
      }
    }
    if (values.empty() || !remote.read({}, names, versions)) return;
    for (const EnvelopeView& value : values) {
      if (judge(value, versions, server_now, nullptr).freshness != Freshness::miss) ++*counted;
    }
  });
}

void L2Cache::invalidate(std::string_view dependency, bool hard) {
  const TimeBudget::Operation budget(context_.time_limit());
  if (attempt([&] { return shared().remote.raise(dependency, hard); })) return;
  retry_later(hard ? Pending::Kind::remove : Pending::Kind::expire, dependency);
}

void L2Cache::flush() {
  const TimeBudget::Operation budget(context_.time_limit());
  const Done done = attempt([&] { return shared().remote.raise_epoch(); });
  shared().remote.versions().forget_all();
  if (!done) return retry_later(Pending::Kind::flush_all, {});
  if (!attempt([&] { return shared().remote.remove_old(*glob_pattern("*")); })) retry_later(Pending::Kind::rest, {});
}

/// Raw values have no version to be cleared by: they are looked for, and the leases of their loads with them.
L2Cache::RawPatterns L2Cache::raw_values_of(const Identity& identity) {
  const std::string name = glob_escape(identity.text());
  return {glob_pattern(name), glob_pattern(name + ":*")};
}

void L2Cache::clear_raw(const RawPatterns& patterns) noexcept {
  const TimeBudget::Operation budget(context_.time_limit());
  for (const auto& pattern : patterns) {
    if (!attempt([&] { return shared().remote.remove_old(*pattern); })) retry_later(pattern);
  }
}

// --- what was not confirmed

void L2Cache::retry_later(Pending::Kind kind, std::string_view name) {
  if (context_.closed()) return;
  context_.probes.at(Probes::Point::unconfirmed, name);
  shared().pending.add(kind, name);
  shared().confirmations->wake();
}

void L2Cache::retry_later(const std::shared_ptr<const KeyPattern>& pattern) {
  if (context_.closed()) return;
  context_.probes.at(Probes::Point::unconfirmed, pattern->text());
  shared().pending.add(pattern);
  shared().confirmations->wake();
}

TimePoint L2Cache::confirm_pending() {
  // What the server refuses it will refuse for a while.
  constexpr std::chrono::milliseconds kPause{50}, kRefused{500};
  const bool refused = shared().pending.any() && shared().remote.link().up() && apply_pending();
  if (!shared().pending.any()) return TimePoint::max();
  return std::chrono::steady_clock::now() + (refused ? kRefused : kPause);
}

namespace {

Done apply(const Pending::Intent& intent, Shared& shared) {
  Remote& remote = shared.remote;
  switch (intent.kind) {
    case Pending::Kind::pattern:
    case Pending::Kind::rule:
      return remote.remove_matching(*intent.pattern, [](std::span<const Remote::Removed>) {});
    case Pending::Kind::remove:
    case Pending::Kind::expire:
      return remote.raise(intent.name, intent.kind == Pending::Kind::remove);
    case Pending::Kind::epoch:
    case Pending::Kind::flush_all: {
      const Done done = remote.raise_epoch();
      if (done) remote.versions().forget_all();
      return done;
    }
    case Pending::Kind::rest:
      return remote.remove_old(*glob_pattern("*"));
    case Pending::Kind::key:
      break;
  }
  return {Done::yes};
}

}  // namespace

bool L2Cache::apply_pending() {
  std::vector<Pending::Intent> keys, wider;
  const auto waiting = [&] {
    const std::lock_guard quiet(coherence().quiet());
    return shared().pending.all();
  };
  const auto confirm = [&](const Pending::Intent& intent) {
    const std::lock_guard quiet(coherence().quiet());
    // The epoch is raised once, however often the rest is tried.
    if (intent.kind == Pending::Kind::flush_all) shared().pending.add(Pending::Kind::rest);
    shared().pending.confirm(intent);
  };
  for (Pending::Intent& intent : waiting()) {
    (intent.kind == Pending::Kind::key ? keys : wider).push_back(std::move(intent));
  }
  // Keys first: what they need the server refuses last.
  constexpr std::size_t kBatch = 500;
  bool refused = false;
  for (std::size_t at = 0; at < keys.size(); at += kBatch) {
    const std::size_t end = std::min(keys.size(), at + kBatch);
    std::vector<std::string_view> names;
    for (std::size_t i = at; i < end; ++i) names.push_back(keys[i].name);
    const Done done = shared().remote.remove_many(names);
    if (done.status == Done::unknown) return false;
    refused |= !done;
    for (std::size_t i = at; done && i < end; ++i) confirm(keys[i]);
  }
  // One that is refused keeps none of the others waiting.
  for (const Pending::Intent& intent : wider) {
    const Done done = apply(intent, shared());
    if (done.status == Done::unknown) return false;
    refused |= !done;
    if (done) confirm(intent);
  }
  return refused;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
