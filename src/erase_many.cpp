/// Removing many keys: the rules of erase(), and one round trip for all of them.
#include <algorithm>

#include <dsta/cache/detail/core.hpp>

#include "entry.hpp"
#include "l1/store.hpp"
#include "l2/time_budget.hpp"
#include "shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Keys of one request: what a server answers well within an operation's time.
constexpr std::size_t kMostKeys = 1024;

}  // namespace

std::size_t Core::erase_many(std::span<const KeyView> keys, const Reach& reach) {
  std::vector<bool> here;
  here.reserve(keys.size());
  for (const KeyView& key : keys) here.push_back(store_->erase(key, now()));
  const bool shared = reach.l2 && shared_ && !closed();
  std::size_t erased = static_cast<std::size_t>(std::ranges::count(here, true));
  const TimeBudget::Operation budget(time_limit());
  for (std::size_t at = 0; shared && at < keys.size(); at += kMostKeys) {
    std::vector<Erasure> erasures;
    for (std::size_t i = at; i < std::min(keys.size(), at + kMostKeys); ++i) {
      erasures.push_back({.name = keys[i].name, .look = !here[i]});
    }
    Versions versions;
    shared_->remote.remove_each(erasures, versions);
    // In this order: who reads there from now on knows that it waits, who has begun to is fenced.
    for (const auto& erasure : erasures) {
      if (!erasure.done) leave_to_upkeep(Pending::Kind::key, erasure.name);
    }
    for (std::size_t i = 0; i < erasures.size(); ++i) store_->erase(keys[at + i], now());
    erased += count_erased(erasures, reach.raw, versions);
  }
  return erased;
}

std::size_t Core::count_erased(std::span<const Erasure> erasures, bool raw, Versions& versions) {
  std::vector<std::string> names;
  for (const auto& [name, look, done, before] : erasures) {
    if (before.kind != Found::Kind::value) continue;
    for (const TagVersion& tag : before.view.tags) names.emplace_back(tag.name);
  }
  Remote& remote = shared_->remote;
  if (!names.empty()) remote.read({}, names, versions);
  const std::int64_t server_now = remote.clock().to_server(now());
  return static_cast<std::size_t>(std::ranges::count_if(erasures, [&](const Erasure& erasure) {
    const Found& before = erasure.before;
    if (counts_plain(before, raw)) return true;
    return before.kind == Found::Kind::value &&
           judge(before.view, versions, server_now, nullptr).freshness != Freshness::miss;
  }));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
