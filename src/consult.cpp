/// Loads with a shared level behind: first it is asked; whoever finds nothing there takes a lease, so that one process
/// of all loads; the others wait until the value is there or the lease ran out. What was loaded is stored only where
/// the lease (or the value that a refresh is to replace) still stands: whatever removed it has revoked the load.
#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "consult.hpp"
#include "entry.hpp"
#include "flight.hpp"
#include "l1/store.hpp"
#include "l2/time_budget.hpp"
#include "load_scope.hpp"
#include "shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Between looks at a lease of another process when nothing tells of its end.
constexpr std::chrono::milliseconds kFirstLook{1}, kLastLook{20};
/// A load inside a load waits for another process no longer: it may be waiting for this one.
constexpr Duration kNestedPatience = HeldLeases::kLife;
/// What was changed while it was read is read again, but not for ever.
constexpr int kRereads = 3;
/// How long a refresh that another process is making is left alone.
constexpr std::chrono::seconds kPutOff{1};

std::array<std::uint64_t, 2> halves(const LeaseToken& token) {
  return {read_little<std::uint64_t>(token.data()), read_little<std::uint64_t>(token.data() + 8)};
}

}  // namespace

bool names_lease(const Flight& flight, const LeaseToken& token) {
  const auto [first, second] = halves(token);
  return flight.lease[0].load() == first && flight.lease[1].load() == second;
}

bool has_lease(const Flight& flight) { return (flight.lease[0].load() | flight.lease[1].load()) != 0; }

std::vector<std::string> Core::dependencies_of(const Batch& batch, const LoadSpec& spec) const {
  std::vector<std::string> tags;
  for (const auto& flight : batch.flights) tags.insert(tags.end(), flight->tag_names.begin(), flight->tag_names.end());
  return dependencies_of(spec.identity, tags);
}

Consulted Core::consult_raw(const Batch& batch, const LoadSpec& spec) {
  Consulted consulted;
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    Flight& flight = *batch.flights[i];
    Fetched item{flight.key()};
    const TypeOps* types[] = {spec.type};
    if (!flight.forced) fetch(std::span(&item, 1), types, nullptr, *spec.terms, {});
    if (item.node) {
      land_found(flight, *spec.terms, std::move(item.node), Freshness::fresh);
      continue;
    }
    Claim claim;
    if (!shared_->pending.concerns_key(flight.name)) claim.kind = Claim::Kind::raw;
    consulted.ours.add(batch.items[i], batch.flights[i], std::move(claim));
  }
  return consulted;
}

Consulted Core::consult(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, int looks) {
  if (spec.terms->raw) return consult_raw(batch, spec);
  Consulted consulted;
  const auto alone = [&](std::size_t i) { consulted.ours.add(batch.items[i], batch.flights[i], {}); };
  Remote& remote = shared_->remote;
  const std::vector<std::string> dependencies = dependencies_of(batch, spec);
  const bool blocked =
      std::ranges::any_of(dependencies, [&](const auto& name) { return shared_->pending.concerns_dependency(name); });
  std::vector<RemoteQuery> queries;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    Flight& flight = *batch.flights[i];
    if (blocked || shared_->pending.concerns_key(flight.name)) {
      alone(i);
      continue;
    }
    store_->rearm(flight);
    queries.push_back({flight.name});
    places.push_back(i);
  }
  if (queries.empty()) return consulted;
  auto versions = std::make_shared<Versions>();
  if (!remote.read(queries, dependencies, *versions, false, !fills(*spec.terms))) {
    for (const std::size_t i : places) alone(i);
    return consulted;
  }

  const std::int64_t server_now = remote.clock().to_server(now());
  std::vector<std::size_t> free;
  std::vector<Remote::Replace> takeovers;
  std::vector<std::pair<std::size_t, Claim>> taking;
  for (std::size_t n = 0; n < queries.size(); ++n) {
    const std::size_t i = places[n];
    const auto& flight = batch.flights[i];
    Found& found = queries[n].found;
    if (found.kind != Found::Kind::nothing) flight->baffled = 0;
    switch (found.kind) {
      case Found::Kind::nothing:
        free.push_back(i);
        continue;
      case Found::Kind::lease:
        if (!flight->forced && !shared_->orphans.has(found.token)) {
          if (urgency == LoadUrgency::behind) {
            put_off(flight);
          } else {
            consulted.others.add(batch.items[i], flight);
          }
          continue;
        }
        break;
      case Found::Kind::value: {
        const Judged judged = judge(found.view, *versions, server_now, spec.identity);
        NodeRef node;
        if (judged.freshness != Freshness::miss && !concerned(found.view)) {
          node = unpack(flight->key(), *spec.type, found, judged, flight->sequence);
        }
        if (node && !flight->forced && (urgency == LoadUrgency::wanted || judged.freshness == Freshness::fresh)) {
          if (store_->revoked(*flight) && looks < kRereads) {
            consulted.others.add(batch.items[i], flight);
          } else {
            land_found(*flight, *spec.terms, std::move(node), judged.freshness);
          }
          continue;
        }
        if (node) {
          Claim claim;
          claim.kind = Claim::Kind::replace;
          claim.mark = found.mark();
          claim.previous = std::move(node);
          if (!flight->forced) {
            claim.token = new_lease_token();
            if (!remote.take_refresh_lease(flight->name, claim.token, HeldLeases::kLife)) {
              put_off(flight);
              continue;
            }
            claim.refreshing = true;
          }
          consulted.ours.add(batch.items[i], flight, std::move(claim));
          continue;
        }
        break;
      }
      case Found::Kind::other:
        if (found.of_other_type) {
          alone(i);
          continue;
        }
        break;
    }
    // Something stands there that does not count: a lease takes its place, if it is still what was seen.
    Claim claim;
    claim.kind = Claim::Kind::lease;
    claim.token = new_lease_token();
    claim.mark = found.mark();
    taking.emplace_back(i, std::move(claim));
  }
  for (const auto& [i, claim] : taking) {
    takeovers.push_back({.key = remote.keys().entry(batch.flights[i]->name),
                         .if_mark = claim.mark,
                         .life = HeldLeases::kLife,
                         .bytes = encode_lease(claim.token)});
  }
  std::vector<Done> done;
  if (!takeovers.empty()) done = remote.replace(takeovers);
  if (!free.empty()) {
    std::vector<std::string_view> names;
    std::vector<LeaseToken> tokens;
    for (const std::size_t i : free) {
      names.push_back(batch.flights[i]->name);
      Claim claim;
      claim.kind = Claim::Kind::lease;
      claim.token = new_lease_token();
      tokens.push_back(claim.token);
      taking.emplace_back(i, std::move(claim));
    }
    const auto taken = remote.take_leases(names, tokens, HeldLeases::kLife);
    done.insert(done.end(), taken.begin(), taken.end());
  }
  for (std::size_t n = 0; n < taking.size(); ++n) {
    auto& [i, claim] = taking[n];
    if (done[n].status == Done::no && done[n].why.empty() && claim.mark.empty() &&
        ++batch.flights[i]->baffled >= kRereads) {
      alone(i);  // nothing is read there and nothing can be put there: it is of another type
    } else if (done[n].status == Done::no && done[n].why.empty()) {
      consulted.others.add(batch.items[i], batch.flights[i]);  // somebody was faster
    } else if (done[n].status == Done::no) {
      alone(i);
    } else {
      // Where it is not known, storing will show whether it was taken.
      consulted.ours.add(batch.items[i], batch.flights[i], std::move(claim));
    }
  }
  know_versions(consulted.ours, dependencies, spec, versions);
  return consulted;
}

bool Core::concerned(const EnvelopeView& view) const {
  for (const TagVersion& tag : view.tags) {
    if (shared_->pending.concerns_dependency(tag.name)) return true;
  }
  return false;
}

/// The versions before the load are what it is stored with.
void Core::know_versions(Ours& ours, std::span<const std::string> dependencies, const LoadSpec& spec,
                         const std::shared_ptr<Versions>& versions) {
  bool missing = false;
  for (const Claim& claim : ours.claims) missing = missing || claim.kind != Claim::Kind::none;
  if (!missing) return;
  const auto there = [&](std::string_view name) {
    const auto* version = versions->find(name);
    return version && *version;
  };
  // A function's version is kept for ever, a tag's as long as it is needed, which is to be said each time.
  const bool known = there({}) && std::ranges::all_of(dependencies, [&](const auto& name) {
                       return name.starts_with(kFunctionMark) && there(name);
                     });
  if (!known &&
      !shared_->remote.need_versions(
          dependencies, version_life(later(later(now(), spec.terms->ttl), spec.terms->stale_for)), *versions)) {
    for (Claim& claim : ours.claims) {
      if (claim.kind == Claim::Kind::lease) shared_->orphans.add(claim.token);
      claim.kind = Claim::Kind::none;
    }
    return;
  }
  std::int64_t begun = 0;
  if (spec.names_tags) begun = shared_->remote.server_time().value_or(0);
  const auto before = std::make_shared<const Versions>(*versions);
  for (std::size_t i = 0; i < ours.claims.size(); ++i) {
    Claim& claim = ours.claims[i];
    claim.versions = versions;
    claim.begun = begun;
    if (claim.kind == Claim::Kind::none) continue;
    Flight& flight = *ours.flights[i];
    flight.versions = before;
    if (claim.kind == Claim::Kind::replace) flight.mark = claim.mark;
    if (claim.kind == Claim::Kind::lease) {
      const auto [first, second] = halves(claim.token);
      flight.lease[0] = first;
      flight.lease[1] = second;
    }
    flight.claimed.store(true, std::memory_order_release);
  }
}

void Core::land_found(Flight& flight, const EntryTerms& terms, NodeRef node, Freshness freshness) {
  shared_->hits.fetch_add(1, std::memory_order_relaxed);
  flight.found = freshness;
  if (probe) probe(Point::before_l1_store, flight.name);
  // Where nothing is told, only another look shows those who came after it was read whether it still counts.
  const bool leader_only = store_->revoked(flight) || !fills(terms);
  // Tags that only the value names could not keep callers from joining.
  const bool overtaken = node->extra && node->extra->tags.invalidated() > flight.sequence;
  NodeRef value = node;
  Store::Landing landing;
  landing.replace_by = std::move(node);
  store_->land(flight, std::move(landing), now());
  {
    const std::lock_guard lock(flight.mutex);
    flight.value = std::move(value);
    flight.from_shared = true;
    flight.leader_only = leader_only;
    if (overtaken) flight.void_from = flight.sequence + 1;
    flight.landed = true;
  }
  flight.landing.notify_all();
}

void Core::put_off(const std::shared_ptr<Flight>& flight) {
  const TimePoint until = later(now(), kPutOff);
  shared_->hold_off(flight->name, until);
  Store::Landing landing;
  landing.retry_after = until;
  store_->land(*flight, std::move(landing), now());
  {
    const std::lock_guard lock(flight->mutex);
    flight->landed = flight->abandoned = true;
  }
  flight->landing.notify_all();
}

bool Core::wait_for_others(int looks, TimePoint begun) {
  const TimeBudget::Pause others_time;
  const auto pause = std::min<Duration>(kFirstLook * (1LL << std::min(looks, 10)), kLastLook);
  {
    shared_->waiting.fetch_add(1, std::memory_order_acq_rel);
    std::unique_lock lock(shared_->news_mutex);
    const std::uint64_t seen = shared_->news_count;
    shared_->news.wait_for(lock, pause, [&] { return shared_->news_count != seen || closed(); });
    shared_->waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  if (closed()) return false;
  return !LoadScope::active() || std::chrono::steady_clock::now() - begun < kNestedPatience;
}

// --- storing

void Core::settle(const Ours& ours, const LoadSpec& spec, std::vector<Prepared>& prepared, Duration took) {
  Remote& remote = shared_->remote;
  std::vector<Remote::Replace> replaces;
  std::vector<std::size_t> places;  // whose outcome is whose; of the others nobody asks
  std::vector<std::size_t> owners;
  constexpr std::size_t kNobody = static_cast<std::size_t>(-1);
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
        places.push_back(mine.landing.remove ? i : kNobody);
        owners.push_back(i);
      }
    } else {
      store_->rearm(flight);
      replaces.push_back(std::move(replace));
      places.push_back(i);
      owners.push_back(i);
    }
    if (claim.refreshing) {
      // After a failure nobody in the fleet tries for a while.
      const bool failed = mine.landing.retry_after != TimePoint{};
      replaces.push_back({.key = remote.keys().refresh_lease(flight.name),
                          .if_mark = {claim.token.data(), claim.token.size()},
                          .action = failed ? Remote::Action::keep : Remote::Action::drop,
                          .life = std::max<Duration>(spec.terms->hold_off, std::chrono::milliseconds(1))});
      places.push_back(kNobody);
      owners.push_back(i);
      if (failed) shared_->hold_off(flight.name, mine.landing.retry_after);
    }
  }
  if (replaces.empty()) return;
  if (probe) {
    for (const auto& flight : ours.flights) probe(Point::before_shared_store, flight->name);
  }
  const std::vector<Done> done = remote.replace(replaces);
  std::vector<std::string_view> outdated;
  for (std::size_t n = 0; n < done.size(); ++n) {
    // It may still stand: whoever finds it in this process need not wait for its end.
    const Claim& claim = ours.claims[owners[n]];
    if (!done[n] && !done[n].why.empty() && claim.kind == Claim::Kind::lease) shared_->orphans.add(claim.token);
  }
  for (std::size_t n = 0; n < done.size(); ++n) {
    if (places[n] == kNobody || done[n]) continue;
    const std::size_t i = places[n];
    Prepared& mine = prepared[i];
    mine.landing.replace_by.reset();
    if (done[n].status == Done::no && done[n].why.empty()) {
      mine.landing.remove = false;
      mine.revoked = true;
      // A load that began earlier has stored something older than what was asked for.
      if (ours.flights[i]->forced) outdated.push_back(ours.flights[i]->name);
    } else if (done[n].status == Done::unknown) {
      shared_->unknown.fetch_add(1, std::memory_order_relaxed);
    }
  }
  if (!outdated.empty() && !remote.remove_many(outdated)) {
    for (const auto name : outdated) leave_to_upkeep(Pending::Kind::key, name);
  }
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
