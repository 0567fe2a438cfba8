/// Removals and invalidations at L2.
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
  confirmations().note(Pending::Kind::key, key.name);
  const Done done = attempt([&] { return l2_store().remover().remove(key.name, before); });
  // In this order: the first invariant.
  if (!done) confirmations().add(Pending::Kind::key, key.name);
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
  l2_store().reader().read({}, names, versions);
  return evaluate(view, versions, nullptr, l2_store().clock().to_server(context_.now())) != Freshness::miss;
}

std::size_t L2Cache::remove_matching(const std::shared_ptr<const KeyPattern>& pattern) {
  const TimeBudget::Operation budget(context_.time_limit());
  // A copy of what L2 has is evaluated as it is there, by its name: one that stayed when L2's went would miss the next
  // invalidation, since L2 has nothing left whose removal it could announce.
  const auto matches = [&](const Store::Known& known) {
    return pattern->concerns(known.name, known.shared ? std::string_view() : known.full) &&
           !pattern->leaves(known.identity);
  };
  try {
    std::size_t local = 0;
    const std::size_t here = context_.store.erase_matching(matches, context_.now(), &local);
    std::size_t there = 0;
    confirmations().note(pattern);
    const Done done = attempt([&] { return sweep(*pattern, &there); });
    confirmations().note(pattern);  // it may have taken long
    if (!done) confirmations().add(pattern);
    std::size_t local_again = 0;
    context_.store.erase_matching(matches, context_.now(), &local_again);
    return done ? there + local + local_again : std::max(here, there + local);
  } catch (
      ...) {  // no memory to look through what is here: the channel says what is removed there, and that goes here too
    confirmations().add(pattern);
    throw;
  }
}

Done L2Cache::sweep(const KeyPattern& pattern, std::size_t* counted) {
  Versions versions;
  const std::int64_t server_now = l2_store().clock().to_server(context_.now());
  return l2_store().remover().remove_matching(pattern, [&](std::span<const EntryRemover::Removed> removed) {
    if (!counted) return;
    std::vector<EnvelopeView> values;
    std::vector<std::string> names;
    for (const auto& [name, head] : removed) {
      if (const auto value = peek_envelope(head, l2_store().keys().entry(name))) {
        values.push_back(*value);
        for (const TagVersion& tag : value->tags) names.emplace_back(tag.name);
      } else if (!looks_like_envelope(head) || (head.size() == EntryRemover::kShown && looks_like_value(head))) {
        ++*counted;  // a counter, a raw value, or a value of so many tags that they were not shown
      }
    }
    if (values.empty() || !l2_store().reader().read({}, names, versions)) return;
    for (const EnvelopeView& value : values) {
      if (evaluate(value, versions, nullptr, server_now) != Freshness::miss) ++*counted;
    }
  });
}

void L2Cache::invalidate(std::string_view dependency, bool hard) {
  const TimeBudget::Operation budget(context_.time_limit());
  const Pending::Kind kind = hard ? Pending::Kind::remove : Pending::Kind::expire;
  confirmations().note(kind, dependency);
  if (attempt([&] { return l2_store().versions().raise(dependency, hard); })) return;
  confirmations().add(kind, dependency);
}

void L2Cache::flush() {
  const TimeBudget::Operation budget(context_.time_limit());
  confirmations().note(Pending::Kind::flush_all);
  const Done done = attempt([&] { return l2_store().versions().raise_epoch(); });
  l2_store().versions().forget_all();
  if (!done) return confirmations().add(Pending::Kind::flush_all, {});
  if (!attempt([&] { return l2_store().remover().remove_old(*glob_pattern("*")); }))
    confirmations().add(Pending::Kind::rest, {});
}

/// Raw values have no version to be cleared by: they are looked for, and the leases of their loads with them.
L2Cache::RawPatterns L2Cache::raw_values_of(const Identity& identity) {
  const std::string name = glob_escape(identity.text());
  return {glob_pattern(name), glob_pattern(name + ":*")};
}

void L2Cache::clear_raw(const RawPatterns& patterns) noexcept {
  const TimeBudget::Operation budget(context_.time_limit());
  for (const auto& pattern : patterns) {
    confirmations().note(pattern);
    if (!attempt([&] { return l2_store().remover().remove_old(*pattern); })) confirmations().add(pattern);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
