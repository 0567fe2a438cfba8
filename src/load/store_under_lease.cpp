/// After a load: storing what was loaded at L2, only where its claim still stands, since whatever removed that has
/// revoked the load.
#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/error.hpp>
#include <dsta/cache/key.hpp>

#include "entry/entry.hpp"
#include "l1/flight.hpp"
#include "l1/store.hpp"
#include "load/acquire_lease.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// What the server is asked to do about one flight, and what its answer decides.
struct Settling {
  std::size_t flight;
  bool stores;              ///< or removes: the answer decides what becomes of the value in L1
  bool is_refresh = false;  ///< about the lease that keeps others from refreshing
};

/// Longer than a load that began before the refresh is likely to take.
constexpr std::chrono::minutes kTombstoneLife{1};

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

}  // namespace

EntryAction Core::store_action(const Flight& flight, const Claim& claim, const LoadSpec& spec, Prepared& mine,
                               Loaded& loaded, Duration took, std::string& bytes) {
  const auto kept = mine.landing.replace_by;
  if (!kept) return mine.landing.remove ? EntryAction::remove : EntryAction::leave;
  mine.landing.replace_by.reset();
  try {
    if (claim.kind == Claim::Kind::raw) {
      kept->type->encode(kept->value(), bytes);
    } else {
      std::vector<std::string> tags;
      if (kept->extra) kept->extra->tags.names(tags);
      const auto dependencies = dependencies_of(spec.identity, tags);
      Versions versions = *claim.versions;
      const auto before_load = dependencies_of(spec.identity, flight.tag_names);
      if (!add_late_versions(claim, before_load, dependencies, kept->stale_until, versions)) {
        mine.revoked = true;
        return EntryAction::leave;
      }
      bytes = pack(*kept, *spec.terms, dependencies, versions, took, mine.negative, claim.generation, claim.order);
    }
  } catch (const std::bad_alloc&) {  // handed out, not stored; what it was to replace is older than it
    mine.landing.remove = true;
    return EntryAction::remove;
  } catch (const std::exception& refused) {  // the user's codec, or too much for the format
    count_undecoded("encoding");
    if (dynamic_cast<const ValueError*>(&refused)) {
      loaded.error = std::current_exception();
    } else {
      loaded.error =
          std::make_exception_ptr(ValueError(fmt::format("the codec '{}' cannot write a value under prefix '{}': {}",
                                                         kept->type->codec, spec.identity->prefix, refused.what())));
    }
    loaded.node.reset();
    mine.wanted = false;
    mine.landing.remove = true;
    return EntryAction::remove;
  }
  if (bytes.size() > options_.pool.max_reply_bytes) {  // handed out, not stored: no process could read it
    mine.landing.remove = true;
    return EntryAction::remove;
  }
  mine.landing.replace_by = kept;
  return EntryAction::set;
}

void Core::store_under_leases(Ours& ours, const LoadSpec& spec, std::vector<Prepared>& prepared,
                              std::vector<Loaded>& loaded, Duration took) {
  Remote& remote = shared_->remote;
  std::vector<Remote::Replace> replaces;
  std::vector<Remote::RawReplace> raw;
  std::vector<Settling> entries, raw_entries;
  for (std::size_t i = 0; i < ours.claims.size(); ++i) {
    Claim& claim = ours.claims[i];
    Flight& flight = *ours.flights[i];
    Prepared& mine = prepared[i];
    if (claim.kind == Claim::Kind::none) {
      // It may be stored in-process only where that is the only level: others would not see it, nor it them.
      mine.landing.replace_by.reset();
      continue;
    }
    std::string bytes;
    if (store_->fenced(flight)) {  // by this process, also where the server was not asked
      mine.revoked = mine.revoked || mine.landing.replace_by;
      mine.landing = {};
    }
    const EntryAction action = store_action(flight, claim, spec, mine, loaded[i], took, bytes);
    Duration life = Leases::kLife;
    if (action == EntryAction::set) {
      life = physical_life(mine.landing.replace_by->stale_until);
      store_->rearm(flight, fills(*spec.terms));
    } else {
      // Once its claim is gone, nothing shows a caller who joins that the value was invalidated.
      store_->close(flight);
    }
    const bool stores = action != EntryAction::leave;
    if (action == EntryAction::remove && claim.kind == Claim::Kind::entry && (flight.forced || claim.refresh)) {
      bytes = tombstone(claim, remote.keys().entry(flight.name));
      life = kTombstoneLife;
    }
    if (claim.kind == Claim::Kind::raw) {
      raw.push_back({flight.name, claim.at_server(), action, life, std::move(bytes)});
      raw_entries.push_back({i, stores});
    } else {
      replaces.push_back({remote.keys().entry(flight.name), claim.at_server(), action, life, std::move(bytes)});
      entries.push_back({i, stores});
    }
    const bool failed = mine.landing.retry_after != TimePoint{};
    if (failed) shared_->back_off(flight.name, now(), mine.landing.retry_after);
    if (claim.refresh) {
      // After a failure nobody in the fleet tries for a while.
      const Leases::Record& lease = claim.refresh.record();
      replaces.push_back({.key = lease.key,
                          .claim = {.generation = lease.generation},
                          .action = failed ? EntryAction::keep : EntryAction::leave,
                          .life = std::max<Duration>(spec.terms->refresh_backoff, std::chrono::milliseconds(1))});
      entries.push_back({i, false, true});
    }
  }
  if (replaces.empty() && raw.empty()) return;
  if (probe) {
    for (const auto& flight : ours.flights) probe(Point::before_shared_store, flight->name);
  }
  const auto settled = [&](std::span<const Settling> of, const std::vector<Done>& done) {
    for (std::size_t n = 0; n < of.size(); ++n) {
      Claim& claim = ours.claims[of[n].flight];
      if (!of[n].is_refresh) {
        note_stored(claim, prepared[of[n].flight], done[n], of[n].stores);
      } else if (done[n].settled()) {
        claim.refresh.settle();
      }
    }
  };
  if (!replaces.empty()) settled(entries, remote.replace(replaces));
  if (!raw.empty()) settled(raw_entries, remote.replace_raw(raw));
  for (std::size_t i = 0; i < ours.claims.size(); ++i) {
    if (ours.claims[i].kind != Claim::Kind::raw || !prepared[i].landing.replace_by) continue;
    spec.identity->counters.add(Count::sets);
    prepared[i].landing.replace_by.reset();  // it is at L2, and there only
  }
}

void Core::note_stored(Claim& claim, Prepared& mine, const Done& done, bool stores) {
  // Answered: the lease is gone or somebody else's. Refused or not answered: it may stand, and is given back later.
  if (done.settled()) claim.hold.settle();
  if (done || !stores) return;
  mine.landing.replace_by.reset();
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
      shared_->unknown.fetch_add(1, std::memory_order_relaxed);
      break;
    case Done::yes:
      break;
  }
}

/// Tags that only the value names were not looked at before the load. They count if they were not raised since, which
/// the clock of versions says. What was known before the load is not touched.
bool Core::add_late_versions(const Claim& claim, const std::vector<std::string>& before_load,
                             std::span<const std::string> dependencies, TimePoint stale_until, Versions& versions) {
  std::vector<std::string> late;
  for (const auto& name : dependencies) {
    if (std::ranges::find(before_load, name) == before_load.end()) late.push_back(name);
  }
  return late.empty() || shared_->remote.late_versions(late, version_life(stale_until), claim.clock, versions);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
