/// Loads with a shared level behind: first it is asked; whoever finds nothing there takes a lease, so that one process
/// of all loads; the others wait until the value is there or the lease ran out.
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

/// An entry whose place a lease is to take.
struct Wanted {
  std::size_t place;  ///< in its batch
  bool occupied;      ///< by what has the claim's mark
  Claim claim;
};

std::vector<Done> put_leases(Remote& remote, const Batch& batch, std::span<Wanted> wanted) {
  std::vector<Done> done(wanted.size());
  std::vector<Remote::Replace> takeovers;
  std::vector<std::string_view> names;
  std::vector<LeaseToken> tokens;
  for (const auto& [place, occupied, claim] : wanted) {
    const std::string& name = batch.flights[place]->name;
    if (!occupied) {
      names.push_back(name);
      tokens.push_back(claim.token);
    } else {
      takeovers.push_back({.key = remote.keys().entry(name),
                           .if_mark = claim.mark,
                           .life = HeldLeases::kLife,
                           .bytes = encode_lease(claim.token)});
    }
  }
  const auto replaced = takeovers.empty() ? std::vector<Done>() : remote.replace(takeovers);
  const auto taken = names.empty() ? std::vector<Done>() : remote.take_leases(names, tokens, HeldLeases::kLife);
  auto next_replaced = replaced.begin(), next_taken = taken.begin();
  for (std::size_t n = 0; n < wanted.size(); ++n) done[n] = *(wanted[n].occupied ? next_replaced : next_taken)++;
  return done;
}

void take(Remote& remote, Store& store, const Batch& batch, std::span<Wanted> wanted, Consulted& consulted) {
  const std::vector<Done> done = put_leases(remote, batch, wanted);
  for (std::size_t n = 0; n < wanted.size(); ++n) {
    auto& [i, occupied, claim] = wanted[n];
    const auto& flight = batch.flights[i];
    const bool refused = done[n].status == Done::no && !done[n].why.empty();
    const bool outrun = done[n].status == Done::no && !refused;
    // Where nothing is read and nothing can be put, again and again, there is something of another type.
    const bool baffling = outrun && !occupied && ++flight->baffled >= kRereads;
    if (refused || baffling) {
      consulted.ours.add(batch.items[i], flight, {});
    } else if (outrun) {
      consulted.others.add(batch.items[i], flight);
    } else {
      // Another's removal in the same round of the server goes untold, as the lease came last.
      store.revoke(flight->key());
      // Where it is not known, storing will show whether it was taken.
      consulted.ours.add(batch.items[i], flight, std::move(claim));
    }
  }
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
  const std::uint64_t confirmed_before = shared_->pending.confirmed();
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
    store_->rearm(flight, fills(*spec.terms));
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
  std::vector<Wanted> wanted;
  for (std::size_t n = 0; n < queries.size(); ++n) {
    const std::size_t i = places[n];
    const auto& flight = batch.flights[i];
    Found& found = queries[n].found;
    if (found.kind != Found::Kind::nothing) flight->baffled = 0;
    switch (found.kind) {
      case Found::Kind::nothing:
        break;
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
        if (judged.freshness != Freshness::miss && !concerned(found.view, flight->name, confirmed_before)) {
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
    // Nothing stands there, or something that does not count: a lease takes its place, if it is still what was seen.
    Claim claim;
    claim.kind = Claim::Kind::lease;
    claim.token = new_lease_token();
    const bool occupied = found.kind != Found::Kind::nothing;
    if (occupied) claim.mark = found.mark();
    wanted.push_back({i, occupied, std::move(claim)});
  }
  take(remote, *store_, batch, wanted, consulted);
  know_versions(consulted.ours, dependencies, spec, versions);
  return consulted;
}

bool Core::concerned(const EnvelopeView& view, std::string_view key, std::uint64_t confirmed) const {
  const Pending& pending = shared_->pending;
  if (pending.concerns_key(key)) return true;
  for (const TagVersion& tag : view.tags) {
    if (pending.concerns_dependency(tag.name)) return true;
  }
  // Asked last: one that was confirmed meanwhile counted this up before it was gone from there.
  return !view.tags.empty() && pending.confirmed() != confirmed;
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
  if (node->shared) landing.replace_by = std::move(node);
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

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
