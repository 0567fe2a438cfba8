/// Before a load: what L2 has, and what is to be done about it.
#include <algorithm>

#include <dsta/cache/key.hpp>

#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "load/lease_coordinator.hpp"
#include "load/load_scope.hpp"
#include "load/take_claims.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Between looks at a lease of another process when no message announces its end.
constexpr std::chrono::milliseconds kFirstLook{1}, kLastLook{20};
/// A load inside a load waits for another process no longer: it may be waiting for this one.
constexpr Duration kNestedPatience = Leases::kLife;
/// What was changed while it was read is read again, but not for ever.
constexpr int kRereads = 3;
/// How long a refresh that another process is making is left alone.
constexpr std::chrono::seconds kPutOff{1};

bool is_current(const Versions& versions, std::string_view name, std::uint64_t noted) {
  const Version* const version = versions.there(name);
  return version && version->judge(noted) == Version::Verdict::current;
}

/// Taken under the versions that hold now: what it brings will count.
bool is_current(const LeaseView& lease, const Versions& versions) {
  for (std::size_t i = 0; i < lease.epochs.size(); ++i) {
    if (!is_current(versions, {}, lease.epochs[i])) return false;
  }
  for (const TagVersion& tag : lease.tags) {
    if (!is_current(versions, tag.name, tag.version)) return false;
  }
  return true;
}

SeenEntry::Kind kind_of(const Found& found) {
  switch (found.kind) {
    case Found::Kind::nothing:
      return SeenEntry::Kind::nothing;
    case Found::Kind::value:
      return SeenEntry::Kind::value;
    case Found::Kind::lease:
      return SeenEntry::Kind::lease;
    case Found::Kind::other:
      break;
  }
  return SeenEntry::Kind::other;
}

std::vector<std::string> dependencies_of(const Batch& batch, const LoadSpec& spec) {
  std::vector<std::string> tags;
  for (const auto& flight : batch.flights) tags.insert(tags.end(), flight->tag_names.begin(), flight->tag_names.end());
  return detail::dependencies_of(spec.identity, tags);
}

}  // namespace

/// By what an entry is judged that L2 was asked for.
struct LeaseCoordinator::Look {
  const LoadSpec& spec;
  LoadUrgency urgency;
  const Versions& versions;
  std::uint64_t confirmed;  ///< Pending's count before the request
};

LeaseHold LeaseCoordinator::make_hold(const std::shared_ptr<Flight>& flight, const LoadSpec& spec, std::string key,
                                      const LeaseToken& generation, std::uint32_t order, bool is_lease) const {
  const Duration patience = spec.terms->load_timeout > Duration::zero() ? spec.terms->load_timeout : Leases::kDeserted;
  return LeaseHold(shared().leases, {.name = flight->name,
                                     .key = std::move(key),
                                     .generation = generation,
                                     .order = order,
                                     .is_lease = is_lease,
                                     .flight = flight,
                                     .deserted_after = saturating_add(std::chrono::steady_clock::now(), patience)});
}

Acquired LeaseCoordinator::acquire(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, int looks,
                                   LoadPlace& place) {
  if (spec.terms->raw) return acquire_raw(batch, spec, urgency, place);
  Acquired acquired;
  const auto alone = [&](std::size_t i) { acquired.owned.add(batch.items[i], batch.flights[i], {}); };
  Remote& remote = shared().remote;
  const std::vector<std::string> dependencies = dependencies_of(batch, spec);
  const std::uint64_t confirmed_before = shared().pending.confirmed();
  std::vector<std::size_t> places;
  std::vector<RemoteQuery> queries = queries_of(batch, spec, dependencies, places, acquired);
  if (queries.empty()) return acquired;
  auto versions = std::make_shared<Versions>();
  const bool fill = levels_.coherence().fills(*spec.terms);
  if (!remote.read(queries, dependencies, *versions, may_be_counter(*spec.type), !fill)) {
    for (const std::size_t i : places) alone(i);
    return acquired;
  }

  const Look look{spec, urgency, *versions, confirmed_before};
  std::vector<Wanted> wanted;
  for (std::size_t n = 0; n < queries.size(); ++n) {
    const std::size_t i = places[n];
    const auto& flight = batch.flights[i];
    const Found& found = queries[n].found;
    if (found.kind != Found::Kind::nothing) flight->lease_conflicts = 0;
    NodeRef node;
    Freshness freshness = Freshness::miss;
    const LeaseStep step = decide_step(*flight, look, found, node, freshness);
    if (needs_claim(step) && remote.may_lease()) {
      Claim claim;
      claim.kind = Claim::Kind::entry;
      claim.order = queries[n].order;
      wanted.push_back({i, step, &found, std::move(claim)});
    } else if (step == LeaseStep::land && !(context_.store.revoked(*flight) && looks < kRereads)) {
      land_found(*flight, *spec.terms, std::move(node), freshness);
    } else if (step == LeaseStep::land) {  // another process changed it meanwhile: it is read again
      acquired.foreign.add(batch.items[i], flight);
    } else if (step == LeaseStep::wait) {
      flight->wait_for(found.lease.token, 0);
      acquired.foreign.add(batch.items[i], flight);
    } else if (step == LeaseStep::put_off) {
      put_off(flight, std::nullopt);
    } else {
      alone(i);
    }
  }
  if (wanted.empty()) return acquired;
  if (!place.try_hold()) {
    for (const Wanted& one : wanted) acquired.queued.add(batch.items[one.place], batch.flights[one.place]);
    return acquired;
  }
  if (!know_versions(dependencies, *spec.terms, *versions)) {
    for (const Wanted& one : wanted) alone(one.place);
    return acquired;
  }
  // Judged once more, by the versions that the new value will be stored with: the loader may hand on the value that it
  // is shown, which must not count again.
  for (Wanted& one : wanted) {
    Freshness freshness = Freshness::miss;
    one.step = decide_step(*batch.flights[one.place], look, *one.found, one.claim.previous, freshness);
  }
  Claims(*this, batch, spec, versions, wanted).take(acquired);
  return acquired;
}

/// A question for each flight that an invalidation which is pending does not concern; the others load alone.
std::vector<RemoteQuery> LeaseCoordinator::queries_of(const Batch& batch, const LoadSpec& spec,
                                                      std::span<const std::string> dependencies,
                                                      std::vector<std::size_t>& places, Acquired& acquired) {
  const Pending& pending = shared().pending;
  const bool blocked =
      std::ranges::any_of(dependencies, [&](const auto& name) { return pending.concerns_dependency(name); });
  std::vector<RemoteQuery> queries;
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    Flight& flight = *batch.flights[i];
    if (blocked || pending.concerns_key(flight.name)) {
      acquired.owned.add(batch.items[i], batch.flights[i], {});
      continue;
    }
    context_.store.rearm(flight, levels_.coherence().fills(*spec.terms));
    queries.push_back({.name = flight.name, .orders = flight.forced});
    places.push_back(i);
  }
  return queries;
}

LeaseStep LeaseCoordinator::decide_step(const Flight& flight, const Look& look, const Found& found, NodeRef& node,
                                        Freshness& freshness) {
  const LoadSpec& spec = look.spec;
  SeenEntry seen{.kind = kind_of(found), .of_other_type = found.of_other_type};
  if (found.kind == Found::Kind::value) {
    const std::int64_t server_now = shared().remote.clock().to_server(context_.now());
    const Judged judged = judge(found.view, look.versions, server_now, spec.identity);
    const bool carries_tags = !spec.identity->function || has_all(found.view, flight.tag_names);
    if (judged.freshness != Freshness::miss && carries_tags &&
        !l2_.concerned(found.view, flight.name, look.confirmed)) {
      node = l2_.unpack(flight.key(), *spec.type, found, judged, flight.sequence);
    }
    if (node) seen.freshness = freshness = judged.freshness;
  } else if (counts_plain(found, false) && may_be_counter(*spec.type)) {
    node = l2_.decode(flight.key(), *spec.type, found.bytes);
    if (node) {
      node->created = node->refresh_at = node->fresh_until = node->stale_until = context_.now();
      seen.kind = SeenEntry::Kind::value;
      seen.freshness = freshness = Freshness::fresh;
    }
  } else if (found.kind == Found::Kind::lease) {
    seen.lease_counts = is_current(found.lease, look.versions) && !shared().leases->is_given_back(found.lease.token);
    seen.lease_is_callers = LoadScope::holds_lease(found.lease.token);
  }
  return decide(seen, flight.forced, look.urgency);
}

/// The versions before the load are what it is stored with. False: they are not to be had.
bool LeaseCoordinator::know_versions(std::span<const std::string> dependencies, const EntryTerms& terms,
                                     Versions& versions) {
  // A function's version is kept for ever, a tag's as long as it is needed, which is to be said each time.
  std::vector<std::string> needed;
  std::ranges::copy_if(dependencies, std::back_inserter(needed),
                       [&](const auto& name) { return !is_kept_for_ever(name) || !versions.there(name); });
  if (needed.empty() && versions.there({})) return true;
  const TimePoint stale_until = saturating_add(saturating_add(context_.now(), terms.ttl), terms.stale_for);
  return shared().remote.need_versions(needed, l2_.version_life(stale_until), versions);
}

void LeaseCoordinator::land_found(Flight& flight, const EntryTerms& terms, NodeRef node, Freshness freshness) {
  shared().hits.fetch_add(1, std::memory_order_relaxed);
  flight.found = freshness;
  context_.probes.at(Probes::Point::before_l1_store, flight.name);
  // Where L1 keeps nothing of it, only another look shows those who came after it was read whether it still counts.
  const bool leader_only = context_.store.revoked(flight) || !levels_.coherence().fills(terms);
  // Tags that only the value names could not keep callers from joining.
  const bool overtaken = node->extra && node->extra->tags.invalidated() > flight.sequence;
  NodeRef value = node;
  Store::Landing landing;
  if (node->shared) landing.replace_by = std::move(node);
  context_.store.land(flight, std::move(landing), context_.now());
  {
    const std::lock_guard lock(flight.mutex);
    flight.value = std::move(value);
    flight.from_shared = true;
    flight.leader_only = leader_only;
    if (overtaken) flight.valid_before = flight.sequence + 1;
    flight.landed = true;
  }
  flight.landing.notify_all();
}

void LeaseCoordinator::put_off(const std::shared_ptr<Flight>& flight, std::optional<TimePoint> created) {
  Store::Landing landing;
  landing.retry_after = saturating_add(context_.now(), kPutOff);
  if (created) {
    landing.retry_of = *created;
    shared().back_off(flight->name, *created, landing.retry_after);
  }
  context_.store.land(*flight, std::move(landing), context_.now());
  {
    const std::lock_guard lock(flight->mutex);
    flight->landed = flight->abandoned = true;
  }
  flight->landing.notify_all();
}

bool LeaseCoordinator::wait_for_foreign(int looks, TimePoint begun) {
  const TimeBudget::Pause others_time;
  const PlacesLent lent;
  const auto pause = std::min<Duration>(kFirstLook * (1LL << std::min(looks, 10)), kLastLook);
  {
    shared().waiting.fetch_add(1, std::memory_order_acq_rel);
    std::unique_lock lock(shared().news_mutex);
    const std::uint64_t seen = shared().news_count;
    shared().news.wait_for(lock, pause, [&] { return shared().news_count != seen || context_.closed(); });
    shared().waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  if (context_.closed()) return false;
  return !LoadScope::active() || std::chrono::steady_clock::now() - begun < kNestedPatience;
}

std::shared_ptr<Flight> LeaseCoordinator::load_waited_for(const Batch& waiting) const {
  for (const auto& flight : waiting.flights) {
    if (!flight->waits) continue;
    if (auto load = shared().leases->flight_of(flight->waits_for_lease)) return load;
  }
  return nullptr;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
