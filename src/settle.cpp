/// Storing what was loaded at the shared level: only where the lease (or the value that a refresh is to replace) still
/// stands, since whatever removed it has revoked the load.
#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "consult.hpp"
#include "entry.hpp"
#include "flight.hpp"
#include "l1/store.hpp"
#include "shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Core::settle(const Ours& ours, const LoadSpec& spec, std::vector<Prepared>& prepared, Duration took) {
  Remote& remote = shared_->remote;
  std::vector<Remote::Replace> replaces;
  struct Owner {
    std::size_t flight;
    bool asks;  ///< what came of it decides what becomes of the value
  };
  std::vector<Owner> owners;
  for (std::size_t i = 0; i < ours.claims.size(); ++i) {
    const Claim& claim = ours.claims[i];
    Flight& flight = *ours.flights[i];
    Prepared& mine = prepared[i];
    if (claim.kind == Claim::Kind::none) {
      // It may be stored in-process only where that is the only level: others would not see it, nor it them.
      mine.landing.replace_by.reset();
      continue;
    }
    if (claim.kind == Claim::Kind::raw) {
      settle_raw(flight, mine);
      continue;
    }
    Remote::Replace replace;
    replace.key = remote.keys().entry(flight.name);
    replace.if_mark = claim.kind == Claim::Kind::lease ? std::string_view(claim.token.data(), claim.token.size())
                                                       : std::string_view(claim.mark);
    bool stored = false;
    if (mine.landing.replace_by) {
      try {
        std::vector<std::string> tags;
        const Node& node = *mine.landing.replace_by;
        if (node.extra) node.extra->tags.names(tags);
        const auto dependencies = dependencies_of(spec.identity, tags);
        if (need_late_versions(claim, dependencies, node)) {
          replace.bytes = pack(node, *spec.terms, dependencies, *claim.versions, took, mine.negative);
          replace.life = physical_life(node.stale_until);
          stored = true;
        } else {
          mine.landing.replace_by.reset();
          mine.revoked = true;
        }
      } catch (const std::exception&) {  // the user's codec, or too much for the format: handed out, not stored
        count_undecoded("encoding");
        mine.landing.replace_by.reset();
      }
    }
    if (!stored) {
      if (mine.landing.remove || claim.kind == Claim::Kind::lease || mine.invalidated) {
        replace.action = Remote::Action::drop;
        replaces.push_back(std::move(replace));
        owners.push_back({i, mine.landing.remove});
      }
    } else {
      store_->rearm(flight, fills(*spec.terms));
      replaces.push_back(std::move(replace));
      owners.push_back({i, true});
    }
    if (claim.refreshing) {
      // After a failure nobody in the fleet tries for a while.
      const bool failed = mine.landing.retry_after != TimePoint{};
      replaces.push_back({.key = remote.keys().refresh_lease(flight.name),
                          .if_mark = {claim.token.data(), claim.token.size()},
                          .action = failed ? Remote::Action::keep : Remote::Action::drop,
                          .life = std::max<Duration>(spec.terms->hold_off, std::chrono::milliseconds(1))});
      owners.push_back({i, false});
      if (failed) shared_->hold_off(flight.name, mine.landing.retry_after);
    }
  }
  if (replaces.empty()) return;
  if (probe) {
    for (const auto& flight : ours.flights) probe(Point::before_shared_store, flight->name);
  }
  const std::vector<Done> done = remote.replace(replaces);
  std::vector<Flight*> outdated;
  for (std::size_t n = 0; n < done.size(); ++n) {
    if (done[n]) continue;
    const auto [i, asks] = owners[n];
    const Claim& claim = ours.claims[i];
    // It may still stand: whoever finds it in this process need not wait for its end.
    if (!done[n].why.empty() && claim.kind == Claim::Kind::lease) shared_->orphans.add(claim.token);
    if (!asks) continue;
    Prepared& mine = prepared[i];
    mine.landing.replace_by.reset();
    if (done[n].status == Done::no && done[n].why.empty()) {
      mine.landing.remove = false;
      mine.revoked = true;
      if (ours.flights[i]->forced) outdated.push_back(ours.flights[i].get());
    } else if (done[n].status == Done::unknown) {
      shared_->unknown.fetch_add(1, std::memory_order_relaxed);
    }
  }
  remove_outdated(outdated);
}

/// What took the place of what a refresh was to replace may come from a load that began earlier: older than what was
/// asked for.
void Core::remove_outdated(std::span<Flight* const> refreshes) {
  std::vector<std::string_view> names;
  for (const Flight* flight : refreshes) names.push_back(flight->name);
  if (names.empty()) return;
  if (!shared_->remote.remove_many(names)) {
    for (const auto name : names) leave_to_upkeep(Pending::Kind::key, name);
  }
  // Own removals are not told: what was read from there meanwhile would stay, and nobody could remove it any more.
  for (const Flight* flight : refreshes) store_->erase(flight->key(), now());
}

/// Tags that only the value names were not looked at before the load. They count if they were not raised since it
/// began, which the version itself says; one that was not there is made as of then.
bool Core::need_late_versions(const Claim& claim, std::span<const std::string> dependencies, const Node& node) {
  std::vector<std::string> late;
  for (const auto& name : dependencies) {
    const auto* version = claim.versions->find(name);
    if (!version || !*version) late.push_back(name);
  }
  if (late.empty()) return true;
  if (claim.begun == 0) return false;
  const Duration life = version_life(node.stale_until);
  if (!shared_->remote.need_versions(late, life, *claim.versions, claim.begun - 1)) return false;
  return std::ranges::all_of(late, [&](const auto& name) {
    const auto* version = claim.versions->find(name);
    return version && *version && (*version)->expired < static_cast<std::uint64_t>(claim.begun);
  });
}

void Core::settle_raw(Flight& flight, Prepared& mine) {
  Remote& remote = shared_->remote;
  const std::string_view names[] = {flight.name};
  if (mine.landing.replace_by) {
    const Node& node = *mine.landing.replace_by;
    try {
      std::string bytes;
      node.type->encode(node.value(), bytes);
      remote.put_raw(flight.name, bytes, physical_life(node.stale_until));
    } catch (const std::exception&) {  // the user's codec: handed out, not stored
      count_undecoded("encoding");
    }
  } else if (mine.landing.remove && !remote.remove_many(names)) {
    leave_to_upkeep(Pending::Kind::key, flight.name);
  }
  mine.landing.replace_by.reset();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
