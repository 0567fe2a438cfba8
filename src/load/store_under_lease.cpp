/// After a load: storing what was loaded at L2, only where its claim still stands, since whatever removed that has
/// revoked the load.
#include <algorithm>
#include <map>

#include <dsta/cache/error.hpp>
#include <dsta/cache/key.hpp>

#include "entry/dependency.hpp"
#include "entry/entry.hpp"
#include "load/lease_coordinator.hpp"
#include "load/store_requests.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Longer than a load that began before the refresh is likely to take.
constexpr std::chrono::minutes kTombstoneLife{1};
/// A process that has read a value asks for the lease of its refresh within this time.
constexpr std::chrono::seconds kReadJustNow{1};

/// What a refresh leaves whose answer is not to be kept: a value that counts for nobody. Loads of its generation that
/// began earlier do not store over it, those that began later do.
std::string tombstone(const Claim& claim, std::string_view key) {
  Envelope envelope;
  const std::uint64_t no_epoch[] = {0};
  envelope.terms = {.fresh_until = 0, .refresh_after = 0, .stale_until = 0};
  envelope.generation = claim.generation;
  envelope.order = claim.order;
  envelope.epochs = no_epoch;
  envelope.key = key;
  return encode(envelope);
}

/// Zero: for ever.
Duration longer(Duration one, Duration other) {
  return one == Duration::zero() || other == Duration::zero() ? Duration::zero() : std::max(one, other);
}

}  // namespace

void LeaseCoordinator::store(OwnedLoads& owned, const LoadSpec& spec, std::vector<Prepared>& prepared,
                             std::vector<Loaded>& loaded, Duration took) {
  Requests requests;
  ask_late_versions(owned, spec, prepared, requests);
  for (std::size_t i = 0; i < owned.claims.size(); ++i) {
    if (owned.claims[i].kind == Claim::Kind::plain) {
      request_plain_store(i, owned, spec, prepared[i], loaded[i], took, requests);
    } else if (owned.claims[i].kind == Claim::Kind::none) {
      // It may be stored in-process only where that is the only level: others would not see it, nor it them.
      prepared[i].landing.replace_by.reset();
      if (owned.flights[i]->forced) owe_removal(*owned.flights[i], prepared[i]);
    } else {
      request_store(i, owned, spec, prepared[i], loaded[i], took, requests);
    }
  }
  if (requests.entries.empty() && requests.raw.empty() && requests.plain.empty()) return;
  for (const auto& flight : owned.flights) context_.probes.at(Probes::Point::before_l2_store, flight->name);
  std::vector<bool> stored(owned.claims.size());
  const auto note = [&](std::span<const Requests::About> of, const std::vector<Done>& done) {
    for (std::size_t n = 0; n < of.size(); ++n) {
      if (of[n].is_refresh) continue;
      stored[of[n].flight] = bool(done[n]);
      note_stored(*owned.flights[of[n].flight], owned.claims[of[n].flight], prepared[of[n].flight], done[n],
                  of[n].stores);
    }
  };
  std::vector<Done> of_entries;
  if (!requests.raw.empty()) note(requests.of_raw, l2_store().leases().replace_raw(requests.raw));
  if (!requests.plain.empty()) note_plain(requests, owned, spec, prepared);
  if (!requests.entries.empty()) note(requests.of_entries, of_entries = l2_store().leases().replace(requests.entries));
  for (std::size_t n = 0; n < of_entries.size(); ++n) {
    const Requests::About& about = requests.of_entries[n];
    const bool ends = about.is_refresh && of_entries[n].executed() && (!about.if_stored || stored[about.flight]);
    if (ends) owned.claims[about.flight].refresh.dropped();
  }
  for (std::size_t i = 0; i < owned.claims.size(); ++i) {
    if (!spec.terms->raw || owned.claims[i].kind == Claim::Kind::none || !prepared[i].landing.replace_by) continue;
    spec.identity->counters.add(Count::sets);
    prepared[i].landing.replace_by.reset();  // it is at L2, and there only
  }
}

void LeaseCoordinator::request_store(std::size_t i, OwnedLoads& owned, const LoadSpec& spec, Prepared& mine,
                                     Loaded& loaded, Duration took, Requests& requests) {
  const KeySpace& keys = l2_store().keys();
  Claim& claim = owned.claims[i];
  Flight& flight = *owned.flights[i];
  if (context_.store.fenced(flight)) {  // by this process, also where the server was not asked
    mine.revoked = mine.revoked || mine.landing.replace_by;
    mine.landing = {};
  }
  std::string bytes;
  EntryAction action = store_action(i, owned, spec, mine, loaded, took, requests, bytes);
  if (claim.displaces && action == EntryAction::remove) {  // it keeps nothing, and revokes nobody
    action = EntryAction::leave;
    mine.landing.remove = false;
  }
  Duration life = Leases::kLife;
  if (action == EntryAction::set) {
    life = l2_.physical_life(mine.landing.replace_by->stale_until);
    context_.store.rearm(flight, levels_.coherence().fills(*spec.terms));
  } else {
    // Once its claim is gone, nothing shows a caller who joins that the value was invalidated.
    context_.store.stop_joining(flight);
  }
  if (action == EntryAction::remove && claim.kind == Claim::Kind::entry && (flight.forced || claim.refresh)) {
    bytes = tombstone(claim, keys.entry(flight.name));
    life = kTombstoneLife;
  }
  // As an invalidation: the source has no such value any more.
  if (action == EntryAction::remove && (flight.forced || claim.refresh || claim.previous)) {
    levels_.confirmations().note(Pending::Kind::key, flight.name);
  }
  const bool stores = action != EntryAction::leave;
  if (claim.kind == Claim::Kind::raw) {
    requests.raw.push_back({flight.name, claim.at_server(), action, life, std::move(bytes), claim.displaces});
    requests.of_raw.push_back({i, stores});
  } else if (!claim.displaces || stores) {  // else nothing stands there that is this load's
    requests.entries.push_back({keys.entry(flight.name), claim.at_server(), action, life, std::move(bytes)});
    requests.of_entries.push_back({i, stores});
  }
  const bool failed = note_failed(flight, claim, mine);
  if (!claim.refresh) return;
  // After a failed refresh nobody in the fleet tries for a while. What could not be displaced the next caller tries at
  // once. After a load whose value is stored, whoever has read the older one just now does not load it again. (Bytes of
  // other programs may be written again, the same: nobody is to wait then.)
  const Leases::Record& lease = claim.refresh.record();
  const bool stored_over_entry = action == EntryAction::set && claim.kind == Claim::Kind::entry;
  const bool pauses = failed ? bool(claim.previous) : stored_over_entry;
  const Duration pause = failed ? Duration(spec.terms->refresh_backoff) : Duration(kReadJustNow);
  requests.entries.push_back({.key = lease.key,
                              .claim = {.generation = lease.generation},
                              .action = pauses ? EntryAction::keep : EntryAction::leave,
                              .life = std::max<Duration>(pause, std::chrono::milliseconds(1))});
  requests.of_entries.push_back({i, false, true, pauses && !failed});
}

/// True: the source could not be asked. What the load was to replace is left alone for a while.
bool LeaseCoordinator::note_failed(const Flight& flight, const Claim& claim, Prepared& mine) {
  const bool failed = mine.landing.retry_after != TimePoint{};
  if (failed && claim.previous) {
    mine.landing.retry_of = saturating_add(claim.previous->created, l2_store().clock().precision());
    backoffs_.begin(flight.name, claim.previous->created, mine.landing.retry_after);
  }
  return failed;
}

EntryAction LeaseCoordinator::store_action(std::size_t i, const OwnedLoads& owned, const LoadSpec& spec, Prepared& mine,
                                           Loaded& loaded, Duration took, const Requests& requests,
                                           std::string& bytes) {
  const Flight& flight = *owned.flights[i];
  const Claim& claim = owned.claims[i];
  const auto kept = mine.landing.replace_by;
  // The caller of a refresh is given its value, stored or not. Nobody who calls afterwards is to wait for the load
  // whose lease it shares, which began earlier.
  const bool ends_older =
      flight.forced && claim.joined && !loaded.error && !loaded.skipped && !context_.store.fenced(flight);
  if (!kept) return mine.landing.remove || ends_older ? EntryAction::remove : EntryAction::leave;
  mine.landing.replace_by.reset();
  if (kept->extra && kept->extra->tags.size() >= kMaxDependencies) {  // handed out, not stored: no entry can note them
    mine.landing.remove = true;
    return EntryAction::remove;
  }
  try {
    auto encoded = encode_value(i, *kept, claim, spec, mine.negative, took, requests);
    if (!encoded) {
      mine.revoked = true;
      mine.landing.remove = ends_older;
      return ends_older ? EntryAction::remove : EntryAction::leave;
    }
    bytes = std::move(*encoded);
  } catch (const std::bad_alloc&) {  // handed out, not stored; what it was to replace is older than it
    mine.landing.remove = true;
    return EntryAction::remove;
  } catch (...) {  // the user's codec, or too much for the format: converted
    l2_.count_undecoded("encoding", spec.identity);
    loaded.error = as_value_error(*kept->type, spec.prefix());
    loaded.node.reset();
    mine.wanted = false;
    mine.landing.remove = true;
    return EntryAction::remove;
  }
  if (bytes.size() > context_.options.pool.max_reply_bytes) {  // handed out, not stored: no process could read it
    mine.landing.remove = true;
    return EntryAction::remove;
  }
  mine.landing.replace_by = kept;
  return EntryAction::set;
}

/// The bytes to be stored. Nothing: what the value depends on was invalidated while it was loaded.
std::optional<std::string> LeaseCoordinator::encode_value(std::size_t i, const Node& value, const Claim& claim,
                                                          const LoadSpec& spec, bool negative, Duration took,
                                                          const Requests& requests) {
  std::string bytes;
  if (spec.terms->raw) {
    value.type->encode(value.value(), bytes);
    return bytes;
  }
  const auto& [dependencies, late] = requests.dependencies[i];
  Versions versions = *claim.versions;
  if (!late.empty() && (!requests.late || !VersionStore::add_late(late, *requests.late, claim.clock, versions))) {
    return std::nullopt;
  }
  return l2_.pack(value, *spec.terms, dependencies, versions, took, negative, claim.generation, claim.order);
}

void LeaseCoordinator::note_stored(Flight& flight, Claim& claim, Prepared& mine, const Done& done, bool stores) {
  // Answered: the lease is gone or somebody else's. Refused or not answered: it may stand, and is given back later.
  if (done.executed()) claim.hold.dropped();
  if (done || !stores) return;
  mine.landing.replace_by.reset();
  // A lease in the place of an entry expires by itself; the value that a refresh was to remove does not.
  const bool replaces = flight.forced || claim.refresh || claim.previous;
  if (!done.executed() && replaces) owe_removal(flight, mine);
  // Another process has changed the entry, and its report may be on its way: what L1 has is older than what the callers
  // of this load are given, and must not be found by them afterwards. (It may be newer, and is read once more. Times
  // of two machines do not tell.) What this process changed itself stays.
  if (done.executed() && !context_.store.fenced(flight)) context_.store.revoke(flight.key());
  switch (done.status) {
    case Done::no:
      if (!done.why.empty()) break;
      mine.revoked = true;
      mine.landing.remove = false;
      break;
    case Done::overtaken:  // by a value that began later
      mine.landing.remove = false;
      mine.wanted = false;
      break;
    case Done::unknown:
      counters_.add_unknown_write();
      break;
    case Done::yes:
      break;
  }
}

/// L2 has not confirmed that the value is gone which the source no longer has: it is removed as an invalidation is.
/// It may be a newer one by then, which costs a load.
void LeaseCoordinator::owe_removal(const Flight& flight, const Prepared& mine) {
  if (!mine.landing.remove || context_.store.fenced(flight)) return;
  levels_.confirmations().add(Pending::Kind::key, flight.name);
}

/// What the values depend on, and by one request for the whole batch the versions of what only they name: those count
/// if they were not raised since the loads began, which the clock of versions says. What was known before the loads is
/// not replaced, but the server is to keep it for as long as the values live.
void LeaseCoordinator::ask_late_versions(const OwnedLoads& owned, const LoadSpec& spec,
                                         std::span<const Prepared> prepared, Requests& requests) {
  std::map<std::string, Duration> asked;
  bool with_clock = false;
  requests.dependencies.resize(owned.claims.size());
  for (std::size_t i = 0; i < owned.claims.size(); ++i) {
    const NodeRef& value = prepared[i].landing.replace_by;
    if (!value || owned.claims[i].kind == Claim::Kind::none || spec.terms->raw) continue;
    std::vector<std::string> tags;
    if (value->extra) value->extra->tags.names(tags);
    if (tags.size() >= kMaxDependencies) continue;  // it is not stored
    auto& [all, late] = requests.dependencies[i];
    all = dependencies_of(spec.identity, tags);
    const auto before_load = dependencies_of(spec.identity, owned.flights[i]->tag_names);
    const Duration life = l2_.version_life(value->stale_until);
    for (const auto& name : all) {
      const bool is_late = std::ranges::find(before_load, name) == before_load.end();
      if (is_late) late.push_back(name);
      if (!is_late && !is_short_lived(name, *owned.claims[i].versions, value->stale_until, *spec.terms)) continue;
      with_clock |= is_late;
      const auto [known, is_new] = asked.try_emplace(name, life);
      if (!is_new) known->second = longer(known->second, life);
    }
  }
  std::vector<VersionStore::Needed> needed;
  for (const auto& [name, life] : asked) needed.push_back({name, life});
  requests.late = l2_store().versions().ask_late(needed, with_clock);
}

/// A value may live longer than its function's terms say, by which the versions were asked for.
bool LeaseCoordinator::is_short_lived(std::string_view dependency, const Versions& versions, TimePoint stale_until,
                                      const EntryTerms& terms) const {
  const Duration life = l2_.physical_life(stale_until);
  const Duration by_terms =
      l2_.physical_life(saturating_add(saturating_add(context_.now(), terms.ttl), terms.stale_for));
  const bool for_ever = life == Duration::zero();
  if (by_terms == Duration::zero() || (!for_ever && life <= by_terms)) return false;
  const TimePoint until = for_ever ? TimePoint::max() : saturating_add(std::chrono::steady_clock::now(), life);
  const Version* const version = versions.there(dependency);
  return version && !is_kept_for_ever(dependency) && !l2_store().versions().is_kept(dependency, *version, until);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
