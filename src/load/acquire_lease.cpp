/// Before a load with L2 behind: L2 is read; where it has nothing that counts, a lease is taken, so that one process of
/// all loads. The others wait until the value is there or the lease has run out.
#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "l1/flight.hpp"
#include "l1/store.hpp"
#include "load/acquire_lease.hpp"
#include "load/lease_decision.hpp"
#include "load/load_place.hpp"
#include "load/load_scope.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An entry that is to be loaded, and how.
struct Core::Wanted {
  std::size_t place;  ///< in its batch
  LeaseStep step;
  const Found* found;
  Claim claim;
};

namespace {

/// Between looks at a lease of another process when no message announces its end.
constexpr std::chrono::milliseconds kFirstLook{1}, kLastLook{20};
/// A load inside a load waits for another process no longer: it may be waiting for this one.
constexpr Duration kNestedPatience = Leases::kLife;
/// What was changed while it was read is read again, but not for ever.
constexpr int kRereads = 3;
/// How long a refresh that another process is making is left alone.
constexpr std::chrono::seconds kPutOff{1};
/// A value that lives longer than any refresh takes need not be kept from running out.
constexpr std::chrono::minutes kLongLife{10};

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

std::string lease_bytes(const LeaseToken& token, std::span<const std::string> dependencies, const Versions& versions) {
  const std::uint64_t epochs[] = {versions.to_note({})};
  std::vector<TagVersion> tags;
  for (const auto& name : dependencies) tags.push_back({name, versions.to_note(name)});
  return encode(Lease{.token = token, .epochs = epochs, .tags = tags});
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

/// The server's answer to a step that claims.
enum class Taken : std::uint8_t { yes, refused, outrun, unknown };

Taken to_taken(const Done& done) {
  switch (done.status) {
    case Done::yes:
      return Taken::yes;
    // The server may do it later, after an invalidation that comes meanwhile: it says nothing of what is loaded now.
    case Done::unknown:
      return Taken::unknown;
    case Done::no:
    case Done::overtaken:
      break;
  }
  return done.why.empty() ? Taken::outrun : Taken::refused;
}

}  // namespace

bool has_all(const EnvelopeView& entry, const std::vector<std::string>& names) {
  bool of_function = false;
  for (const TagVersion& tag : entry.tags) of_function = of_function || tag.name.starts_with(kFunctionMark);
  return !of_function || std::ranges::all_of(names, [&](const auto& name) {
    for (const TagVersion& tag : entry.tags) {
      if (tag.name == name) return true;
    }
    return false;
  });
}

std::vector<std::string> Core::dependencies_of(const Batch& batch, const LoadSpec& spec) const {
  std::vector<std::string> tags;
  for (const auto& flight : batch.flights) tags.insert(tags.end(), flight->tag_names.begin(), flight->tag_names.end());
  return dependencies_of(spec.identity, tags);
}

namespace {

/// A lease of a load, ready to be held.
LeaseHold make_hold(Shared& shared, const std::shared_ptr<Flight>& flight, const LoadSpec& spec, std::string key,
                    const LeaseToken& generation, std::uint32_t order, bool is_lease) {
  const Duration patience = spec.terms->load_timeout > Duration::zero() ? spec.terms->load_timeout : Leases::kDeserted;
  return LeaseHold(shared.leases, {.name = flight->name,
                                   .key = std::move(key),
                                   .generation = generation,
                                   .order = order,
                                   .is_lease = is_lease,
                                   .flight = flight,
                                   .deserted_after = saturating_add(std::chrono::steady_clock::now(), patience)});
}

}  // namespace

Acquired Core::acquire_leases(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, int looks,
                              LoadPlace& place) {
  if (spec.terms->raw) return acquire_raw_leases(batch, spec, urgency, place);
  Acquired acquired;
  const auto alone = [&](std::size_t i) { acquired.ours.add(batch.items[i], batch.flights[i], {}); };
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
    queries.push_back({.name = flight.name, .orders = flight.forced});
    places.push_back(i);
  }
  if (queries.empty()) return acquired;
  auto versions = std::make_shared<Versions>();
  if (!remote.read(queries, dependencies, *versions, may_be_counter(*spec.type), !fills(*spec.terms))) {
    for (const std::size_t i : places) alone(i);
    return acquired;
  }

  std::vector<Wanted> wanted;
  for (std::size_t n = 0; n < queries.size(); ++n) {
    const std::size_t i = places[n];
    const auto& flight = batch.flights[i];
    const Found& found = queries[n].found;
    if (found.kind != Found::Kind::nothing) flight->baffled = 0;
    NodeRef node;
    Freshness freshness = Freshness::miss;
    switch (const LeaseStep step = look(*flight, spec, urgency, found, *versions, confirmed_before, node, freshness)) {
      case LeaseStep::land:
        if (store_->revoked(*flight) && looks < kRereads) {
          acquired.others.add(batch.items[i], flight);
        } else {
          land_found(*flight, *spec.terms, std::move(node), freshness);
        }
        break;
      case LeaseStep::wait:
        flight->wait_for(found.lease.token, 0);
        acquired.others.add(batch.items[i], flight);
        break;
      case LeaseStep::put_off:
        put_off(flight);
        break;
      case LeaseStep::alone:
        alone(i);
        break;
      default:
        if (!remote.may_lease()) {
          alone(i);
          break;
        }
        Claim claim;
        claim.kind = Claim::Kind::entry;
        claim.order = queries[n].order;
        wanted.push_back({i, step, &found, std::move(claim)});
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
    const auto& flight = batch.flights[one.place];
    Freshness freshness = Freshness::miss;
    one.step = look(*flight, spec, urgency, *one.found, *versions, confirmed_before, one.claim.previous, freshness);
  }
  take_claims(batch, spec, versions, wanted, acquired);
  return acquired;
}

LeaseStep Core::look(const Flight& flight, const LoadSpec& spec, LoadUrgency urgency, const Found& found,
                     const Versions& versions, std::uint64_t confirmed_before, NodeRef& node, Freshness& freshness) {
  SeenEntry seen{.kind = kind_of(found), .of_other_type = found.of_other_type};
  if (found.kind == Found::Kind::value) {
    const std::int64_t server_now = shared_->remote.clock().to_server(now());
    const Judged judged = judge(found.view, versions, server_now, spec.identity);
    const bool carries_tags = !spec.identity->function || has_all(found.view, flight.tag_names);
    if (judged.freshness != Freshness::miss && carries_tags && !concerned(found.view, flight.name, confirmed_before)) {
      node = unpack(flight.key(), *spec.type, found, judged, flight.sequence);
    }
    if (node) seen.freshness = freshness = judged.freshness;
  } else if (counts_plain(found, false) && may_be_counter(*spec.type)) {
    node = decode(flight.key(), *spec.type, found.bytes);
    if (node) {
      node->created = node->refresh_at = node->fresh_until = node->stale_until = now();
      seen.kind = SeenEntry::Kind::value;
      seen.freshness = freshness = Freshness::fresh;
    }
  } else if (found.kind == Found::Kind::lease) {
    seen.lease_counts = is_current(found.lease, versions) && !shared_->leases->is_given_back(found.lease.token);
    seen.lease_is_callers = LoadScope::holds_lease(found.lease.token);
  }
  return decide(seen, flight.forced, urgency);
}

/// The versions before the load are what it is stored with. False: they are not to be had.
bool Core::know_versions(std::span<const std::string> dependencies, const EntryTerms& terms, Versions& versions) {
  // A function's version is kept for ever, a tag's as long as it is needed, which is to be said each time.
  std::vector<std::string> needed;
  std::ranges::copy_if(dependencies, std::back_inserter(needed),
                       [&](const auto& name) { return !is_kept_for_ever(name) || !versions.there(name); });
  if (needed.empty() && versions.there({})) return true;
  const TimePoint stale_until = saturating_add(saturating_add(now(), terms.ttl), terms.stale_for);
  return shared_->remote.need_versions(needed, version_life(stale_until), versions);
}

/// Of each key one process refreshes; what it is not to refresh is put off.
void Core::take_refresh_leases(const Batch& batch, const LoadSpec& spec, std::vector<Wanted>& wanted) {
  std::vector<Remote::RefreshTake> takes;
  std::vector<Wanted*> asked;
  for (Wanted& one : wanted) {
    if (one.step != LeaseStep::refresh) continue;
    const auto& flight = batch.flights[one.place];
    takes.push_back({flight->name, new_lease_token()});
    const std::string key = shared_->remote.keys().refresh_lease(flight->name);
    one.claim.refresh = make_hold(*shared_, flight, spec, key, takes.back().token, 0, true);
    one.claim.refresh.begin();
    asked.push_back(&one);
  }
  const auto done = shared_->remote.take_refresh_leases(takes, Leases::kLife);
  for (std::size_t n = 0; n < asked.size(); ++n) {
    if (done[n]) continue;
    if (done[n].status != Done::unknown) asked[n]->claim.refresh.settle();  // else it is given back
    put_off(batch.flights[asked[n]->place]);
    asked[n]->claim.kind = Claim::Kind::none;
  }
}

/// Each of `wanted` becomes one of `acquired`, by what the server says to its step.
void Core::take_claims(const Batch& batch, const LoadSpec& spec, const std::shared_ptr<const Versions>& versions,
                       std::vector<Wanted>& wanted, Acquired& acquired) {
  Remote& remote = shared_->remote;
  const std::uint64_t clock = spec.names_tags ? remote.version_clock() : 0;
  std::vector<std::string_view> free_names;
  std::vector<std::string> leases;
  std::vector<Remote::Replace> replaces;
  std::vector<std::size_t> free, replacing;
  std::vector<Taken> taken(wanted.size(), Taken::yes);
  take_refresh_leases(batch, spec, wanted);
  for (std::size_t n = 0; n < wanted.size(); ++n) {
    auto& [i, step, found, claim] = wanted[n];
    const auto& flight = batch.flights[i];
    if (claim.kind == Claim::Kind::none) continue;
    const std::string key = remote.keys().entry(flight->name);
    claim.versions = versions;
    claim.clock = clock;
    switch (step) {
      case LeaseStep::take:
      case LeaseStep::take_over: {
        claim.generation = new_lease_token();
        std::string bytes = lease_bytes(claim.generation, dependencies_of(spec.identity, flight->tag_names), *versions);
        if (step == LeaseStep::take) {
          free.push_back(n);
          free_names.push_back(flight->name);
          leases.push_back(std::move(bytes));
        } else {
          replacing.push_back(n);
          replaces.push_back({key, {.mark = found->mark()}, Remote::Action::set, Leases::kLife, std::move(bytes)});
        }
        claim.hold = make_hold(*shared_, flight, spec, key, claim.generation, claim.order, true);
        break;
      }
      case LeaseStep::join:
        claim.generation = found->lease.token;
        claim.order = std::max<std::uint32_t>(claim.order, 1);
        replacing.push_back(n);
        replaces.push_back({key, claim.at_server(), Remote::Action::join, Leases::kLife});
        claim.hold = make_hold(*shared_, flight, spec, key, claim.generation, claim.order, true);
        break;
      case LeaseStep::refresh:
      case LeaseStep::replace: {
        const EnvelopeView& view = found->view;
        if (view.has_generation) {
          claim.generation = view.generation;
          claim.order = step == LeaseStep::replace ? std::max(claim.order, view.order + 1) : view.order;
        } else {
          claim.mark = found->mark();
          claim.generation = new_lease_token();  // of what takes its place
        }
        const TimePoint ends = remote.clock().to_local(view.terms.stale_until);
        if (!view.has_generation || ends > saturating_add(now(), kLongLife)) break;
        claim.hold = make_hold(*shared_, flight, spec, key, claim.generation, claim.order, false);
        if (ends > saturating_add(now(), Leases::kLife)) break;
        replacing.push_back(n);
        replaces.push_back({key, claim.at_server(), Remote::Action::keep, Leases::kLife});
        break;
      }
      default:  // what another process brought in the meantime
        taken[n] = Taken::outrun;
        claim.kind = Claim::Kind::none;
        acquired.others.add(batch.items[i], flight);
    }
    // Before the server is asked: whatever becomes of the request, a lease that it took is given back in the end.
    if (claim.hold.ready()) claim.hold.begin();
  }
  const auto done_free = free.empty() ? std::vector<Done>() : remote.take_leases(free_names, leases, Leases::kLife);
  for (std::size_t n = 0; n < free.size(); ++n) taken[free[n]] = to_taken(done_free[n]);
  const auto done = replaces.empty() ? std::vector<Done>() : remote.replace(replaces);
  for (std::size_t n = 0; n < replacing.size(); ++n) taken[replacing[n]] = to_taken(done[n]);

  for (std::size_t n = 0; n < wanted.size(); ++n) {
    auto& [i, step, found, claim] = wanted[n];
    const auto& flight = batch.flights[i];
    if (claim.kind == Claim::Kind::none) continue;
    // Where nothing is read and nothing can be put, again and again, there is something of another type.
    const bool baffling = taken[n] == Taken::outrun && step == LeaseStep::take && ++flight->baffled >= kRereads;
    if (taken[n] == Taken::yes) {
      // Another's removal in the same round of the server goes untold, as the lease came last.
      if (step == LeaseStep::take || step == LeaseStep::take_over) store_->revoke(flight->key());
      flight->generation = claim.generation;
      flight->order = claim.order;
      flight->versions = versions;
      flight->claimed.store(true, std::memory_order_release);
      flight->leased.store(step != LeaseStep::refresh && step != LeaseStep::replace, std::memory_order_release);
      acquired.ours.add(batch.items[i], flight, std::move(claim));
      continue;
    }
    if (taken[n] == Taken::unknown) {  // its holds are given back
      acquired.ours.add(batch.items[i], flight, {});
      continue;
    }
    claim.hold.settle();
    if (taken[n] == Taken::refused || baffling) {
      acquired.ours.add(batch.items[i], flight, {});
    } else {
      acquired.others.add(batch.items[i], flight);
    }
  }
}

Acquired Core::acquire_raw_leases(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place) {
  Acquired acquired;
  std::vector<Fetched> seen;
  std::vector<std::size_t> looked, open;
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    if (batch.flights[i]->forced) {
      open.push_back(i);
    } else {
      seen.push_back({batch.flights[i]->key()});
      looked.push_back(i);
    }
  }
  const TypeOps* types[] = {spec.type};
  if (!seen.empty()) fetch(seen, types, nullptr, *spec.terms, {});
  std::vector<bool> absent(batch.flights.size());
  for (std::size_t n = 0; n < seen.size(); ++n) {
    const std::size_t i = looked[n];
    absent[i] = seen[n].nothing;
    if (seen[n].node) {
      land_found(*batch.flights[i], *spec.terms, std::move(seen[n].node), Freshness::fresh);
    } else if (seen[n].asked) {
      open.push_back(i);
    } else {  // L2 is out of reach
      acquired.ours.add(batch.items[i], batch.flights[i], {});
    }
  }
  if (open.empty()) return acquired;
  if (place.try_hold()) {
    take_raw_claims(batch, spec, urgency, open, absent, acquired);
  } else {
    for (const std::size_t i : open) acquired.queued.add(batch.items[i], batch.flights[i]);
  }
  return acquired;
}

/// Each of `open`, which are places in `batch`, becomes one of `acquired`.
void Core::take_raw_claims(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency,
                           std::span<const std::size_t> open, const std::vector<bool>& absent, Acquired& acquired) {
  Remote& remote = shared_->remote;
  std::vector<Remote::RawTake> takes;
  std::vector<Claim> claims;
  std::vector<std::size_t> places;
  std::vector<RemoteQuery> forced;
  for (const std::size_t i : open) {
    const auto& flight = batch.flights[i];
    if (shared_->pending.concerns_key(flight->name) || !remote.may_lease()) {
      acquired.ours.add(batch.items[i], flight, {});
      continue;
    }
    takes.push_back({flight->name, new_lease_token(), flight->forced, absent[i]});
    claims.emplace_back();
    places.push_back(i);
    if (flight->forced) forced.push_back({.name = flight->name, .orders = true});
  }
  if (takes.empty()) return;
  Versions versions;
  if (!forced.empty()) remote.read(forced, {}, versions, true, true);
  auto numbered = forced.begin();
  const auto hold = [&](std::size_t n, const LeaseToken& generation) {
    claims[n].hold.settle();
    claims[n].hold = make_hold(*shared_, batch.flights[places[n]], spec, {}, generation, claims[n].order, true);
    claims[n].hold.begin();
  };
  for (std::size_t n = 0; n < takes.size(); ++n) {
    if (takes[n].join) claims[n].order = std::max<std::uint32_t>((numbered++)->order, 1);
    // Before the server is asked: whatever becomes of the request, a lease that it took is given back in the end.
    hold(n, takes[n].token);
  }
  const auto held = remote.take_raw_leases(takes, Leases::kLife);
  for (std::size_t n = 0; n < takes.size(); ++n) {
    const std::size_t item = batch.items[places[n]];
    const auto& flight = batch.flights[places[n]];
    if (!held[n]) {  // refused, or of unknown outcome: its hold is given back at once
      acquired.ours.add(item, flight, {});
      continue;
    }
    const bool is_foreign = *held[n] != takes[n].token;
    if (!is_foreign || flight->forced) {
      claims[n].kind = Claim::Kind::raw;
      claims[n].generation = *held[n];
      if (is_foreign) hold(n, *held[n]);
      flight->generation = claims[n].generation;
      acquired.ours.add(item, flight, std::move(claims[n]));
      continue;
    }
    claims[n].hold.settle();
    if (urgency == LoadUrgency::behind) {
      put_off(flight);
    } else if (LoadScope::holds_lease(*held[n])) {
      acquired.ours.add(item, flight, {});
    } else {
      flight->wait_for(*held[n], 0);
      acquired.others.add(item, flight);
    }
  }
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
    if (overtaken) flight.valid_before = flight.sequence + 1;
    flight.landed = true;
  }
  flight.landing.notify_all();
}

void Core::put_off(const std::shared_ptr<Flight>& flight) {
  const TimePoint since = now(), until = saturating_add(since, kPutOff);
  shared_->back_off(flight->name, since, until);
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
  const PlacesLent lent;
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
