/// Removing many keys: the rules of erase(), and one round trip for all of them.
#include <algorithm>

#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "l1/store.hpp"
#include "two_level/attempt.hpp"
#include "two_level/l2_cache.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Keys of one request: what a server answers well within an operation's time.
constexpr std::size_t kMostRemovals = 1024;

}  // namespace

std::size_t L2Cache::remove_many(std::span<const KeyView> keys, const Reach& reach) {
  std::vector<bool> here;
  here.reserve(keys.size());
  for (const KeyView& key : keys) here.push_back(context_.store.erase(key, context_.now()));
  const bool there = reach.l2 && levels_.reachable();
  std::size_t erased = static_cast<std::size_t>(std::ranges::count(here, true));
  const TimeBudget::Operation budget(context_.time_limit());
  for (std::size_t at = 0; there && at < keys.size(); at += kMostRemovals) {
    const auto part = keys.subspan(at, std::min(kMostRemovals, keys.size() - at));
    std::vector<Erasure> erasures;
    Versions versions;
    for (const KeyView& key : part) confirmations().note(Pending::Kind::key, key.name);
    const Done asked = attempt([&]() -> Done {
      for (std::size_t i = 0; i < part.size(); ++i) erasures.push_back({.name = part[i].name, .look = !here[at + i]});
      l2_store().remover().remove_each(erasures, versions);
      return {Done::yes};
    });
    // In this order: the first invariant.
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (!asked || !erasures[i].done) confirmations().add(Pending::Kind::key, part[i].name);
    }
    for (const KeyView& key : part) context_.store.erase(key, context_.now());
    if (asked)
      attempt([&]() -> Done { return erased += count_removed(erasures, reach.raw, versions), Done{Done::yes}; });
  }
  return erased;
}

std::size_t L2Cache::count_removed(std::span<const Erasure> erasures, bool raw, Versions& versions) {
  std::vector<std::string> names;
  for (const auto& [name, look, done, before] : erasures) {
    if (before.kind != Found::Kind::value) continue;
    for (const TagVersion& tag : before.view.tags) names.emplace_back(tag.name);
  }
  if (!names.empty()) l2_store().reader().read({}, names, versions);
  const std::int64_t server_now = l2_store().clock().to_server(context_.now());
  return static_cast<std::size_t>(std::ranges::count_if(erasures, [&](const Erasure& erasure) {
    const Found& before = erasure.before;
    if (counts_plain(before, raw)) return true;
    return before.kind == Found::Kind::value && evaluate(before.view, versions, nullptr, server_now) != Freshness::miss;
  }));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
