/// Removals and invalidations at the shared level, and what becomes of those it does not confirm.
#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "entry.hpp"
#include "glob.hpp"
#include "l1/store.hpp"
#include "l2/time_budget.hpp"
#include "shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool Core::erase_shared(const KeyView& key, bool raw) {
  const TimeBudget::Operation budget(time_limit());
  const bool here = store_->erase(key, now());
  Found before;
  const Done done = shared_->remote.remove(key.name, before);
  // In this order: who reads there from now on knows that it waits, who has begun to is fenced.
  if (!done) leave_to_upkeep(Pending::Kind::key, key.name);
  store_->erase(key, now());  // what was read from there meanwhile
  if (!done || here) return here;
  if (counts_plain(before, raw)) return true;
  if (before.kind != Found::Kind::value) return false;
  return counts(before.view);
}

bool Core::counts(const EnvelopeView& view) {
  std::vector<std::string> names;
  for (const TagVersion& tag : view.tags) names.emplace_back(tag.name);
  Versions versions;
  shared_->remote.read({}, names, versions);
  return judge(view, versions, shared_->remote.clock().to_server(now()), nullptr).freshness != Freshness::miss;
}

std::size_t Core::erase_matching_shared(std::string_view pattern) {
  const TimeBudget::Operation budget(time_limit());
  const Glob glob(pattern);
  const auto matches = [&](std::string_view name) { return glob.matches(name); };
  std::size_t local = 0;
  const std::size_t here = store_->erase_matching(matches, now(), &local);
  std::size_t there = 0;
  const Done done = sweep(pattern, &there);
  if (!done) leave_to_upkeep(Pending::Kind::pattern, pattern);
  std::size_t local_again = 0;
  store_->erase_matching(matches, now(), &local_again);
  return done ? there + local + local_again : std::max(here, there + local);
}

Done Core::sweep(std::string_view pattern, std::size_t* counted) {
  Remote& remote = shared_->remote;
  Versions versions;
  const std::int64_t server_now = remote.clock().to_server(now());
  return remote.remove_matching(pattern, [&](std::span<const Remote::Removed> removed) {
    if (!counted) return;
    std::vector<EnvelopeView> values;
    std::vector<std::string> names;
    for (const auto& [name, head] : removed) {
      if (const auto value = peek_envelope(head, remote.keys().entry(name))) {
        values.push_back(*value);
        for (const TagVersion& tag : value->tags) names.emplace_back(tag.name);
      } else if (!looks_like_envelope(head)) {
        ++*counted;  // a counter, or a raw value
      }
    }
    if (values.empty() || !remote.read({}, names, versions)) return;
    for (const EnvelopeView& value : values) {
      if (judge(value, versions, server_now, nullptr).freshness != Freshness::miss) ++*counted;
    }
  });
}

void Core::invalidate_shared(std::string_view dependency, bool hard) {
  const TimeBudget::Operation budget(time_limit());
  if (shared_->remote.raise(dependency, hard)) return;
  leave_to_upkeep(hard ? Pending::Kind::remove : Pending::Kind::expire, dependency);
}

void Core::flush_shared() {
  const TimeBudget::Operation budget(time_limit());
  const Done done = shared_->remote.raise_epoch();
  shared_->remote.versions().forget_all();
  if (done && shared_->remote.remove_old()) return;
  leave_to_upkeep(Pending::Kind::flush_all, {});
}

// --- what was not confirmed

void Core::leave_to_upkeep(Pending::Kind kind, std::string_view name) {
  if (closed()) return;
  if (probe) probe(Point::unconfirmed, name);
  shared_->pending.add(kind, name);
  shared_->confirmations->poke();
}

TimePoint Core::confirm_pending() {
  constexpr std::chrono::milliseconds kPause{50};
  if (shared_->pending.any() && shared_->remote.link().up()) apply_pending();
  return shared_->pending.any() ? std::chrono::steady_clock::now() + kPause : TimePoint::max();
}

TimePoint Core::renew_leases() {
  TimePoint next = TimePoint::max();
  std::vector<Remote::Replace> renewals;
  const auto due = [&] {
    const std::lock_guard quiet(quiet_);
    return shared_->leases->due(std::chrono::steady_clock::now(), next);
  }();
  for (const auto& lease : due) {
    renewals.push_back({.key = lease.key,
                        .if_mark = {lease.token.data(), lease.token.size()},
                        .action = Remote::Action::keep,
                        .life = HeldLeases::kLife});
  }
  if (!renewals.empty()) shared_->remote.replace(renewals);
  return next;
}

void Core::apply_pending() {
  Remote& remote = shared_->remote;
  std::vector<Pending::Intent> keys;
  const auto waiting = [&] {
    const std::lock_guard quiet(quiet_);
    return shared_->pending.all();
  };
  const auto confirm = [&](const Pending::Intent& intent) {
    const std::lock_guard quiet(quiet_);
    shared_->pending.confirm(intent);
  };
  for (Pending::Intent& intent : waiting()) {
    const std::string_view name = intent.name;
    switch (intent.kind) {
      case Pending::Kind::key:
        keys.push_back(std::move(intent));
        continue;
      case Pending::Kind::pattern:
        if (!sweep(name, nullptr)) return;
        break;
      case Pending::Kind::remove:
      case Pending::Kind::expire:
        if (!remote.raise(name, intent.kind == Pending::Kind::remove)) return;
        break;
      case Pending::Kind::epoch:
        if (!remote.raise_epoch()) return;
        remote.versions().forget_all();
        break;
      case Pending::Kind::flush_all:
        if (!remote.raise_epoch()) return;
        remote.versions().forget_all();
        if (!remote.remove_old()) return;
        break;
    }
    confirm(intent);
  }
  constexpr std::size_t kBatch = 500;
  for (std::size_t at = 0; at < keys.size(); at += kBatch) {
    const std::size_t end = std::min(keys.size(), at + kBatch);
    std::vector<std::string_view> names;
    for (std::size_t i = at; i < end; ++i) names.push_back(keys[i].name);
    if (!remote.remove_many(names)) return;
    for (std::size_t i = at; i < end; ++i) confirm(keys[i]);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
