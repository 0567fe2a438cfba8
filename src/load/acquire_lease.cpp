/// Before a load: what L2 has, and what is to be done about it.
#include <algorithm>

#include <dsta/cache/key.hpp>

#include "base/time_budget.hpp"
#include "entry/dependency.hpp"
#include "entry/entry.hpp"
#include "load/acquisition.hpp"
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
/// What another process changed while it was read is read again, but not for ever.
constexpr int kRereads = 3;
/// How long a refresh that another process is making is left alone.
constexpr std::chrono::seconds kForeignRefresh{1};

bool is_current(const Versions& versions, std::string_view name, std::uint64_t noted) {
  const Version* const version = versions.there(name);
  return version && version->evaluate(noted) == Version::Verdict::current;
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

/// Bytes that other programs, or a later version of this library, may read.
bool is_others(const Found& found) {
  return !found.of_other_type &&
         (found.decode_error == DecodeError::not_an_envelope || found.decode_error == DecodeError::newer_version);
}

/// What the lease's load stores is of use to the callers of the flight, as far as the lease says.
bool is_for(const LeaseView& lease, const Flight& flight) {
  if (lease.codec != 0 && lease.codec != codec_fingerprint(flight.type->codec)) return false;
  if (!flight.identity->function) return true;
  const auto is_foreign = [&](const TagVersion& tag) {
    return tag.name.starts_with(kFunctionMark) && tag.name.substr(1) != flight.identity->text();
  };
  for (const TagVersion& tag : lease.tags) {
    if (is_foreign(tag)) return false;
  }
  return carries_all(lease.tags, flight.tag_names);
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

LeaseHold LeaseCoordinator::make_hold(const std::shared_ptr<Flight>& flight, const LoadSpec& spec, std::string key,
                                      const LeaseToken& generation, std::uint32_t order, bool is_lease) const {
  const Duration patience = spec.terms->load_timeout > Duration::zero() ? spec.terms->load_timeout : Leases::kDeserted;
  return LeaseHold(levels_.leases(), {.name = flight->name,
                                      .key = std::move(key),
                                      .generation = generation,
                                      .order = order,
                                      .is_lease = is_lease,
                                      .flight = flight,
                                      .deserted_after = saturating_add(std::chrono::steady_clock::now(), patience)});
}

LeaseCoordinator::Acquisition::Acquisition(LeaseCoordinator& coordinator, const Batch& batch, const LoadSpec& spec,
                                           LoadUrgency urgency, int looks)
    : coordinator_(coordinator),
      batch_(batch),
      spec_(spec),
      urgency_(urgency),
      looks_(looks),
      dependencies_(dependencies_of(batch, spec)),
      before_(coordinator.pending().mark()),
      hides_plain_(coordinator.pending().concerns_plain()) {}

Acquired LeaseCoordinator::Acquisition::run(LoadPlace& place) {
  if (read(place)) {
    for (std::size_t n = 0; n < queries_.size(); ++n) act_on(n);
    if (!wanted_.empty()) claim(place);
  }
  return std::move(acquired_);
}

bool LeaseCoordinator::Acquisition::read(const LoadPlace& place) {
  const Pending& pending = coordinator_.pending();
  const bool blocked =
      std::ranges::any_of(dependencies_, [&](const auto& name) { return pending.concerns_dependency(name); });
  for (std::size_t i = 0; i < batch_.flights.size(); ++i) {
    Flight& flight = *batch_.flights[i];
    // L2 has not confirmed an invalidation that the flight depends on: what stands there may be out of date. Or nothing
    // that depends on so much can be stored there.
    const bool too_many_tags = flight.tag_names.size() >= kMaxDependencies;  // its function is one, too
    if (blocked || too_many_tags || pending.concerns_key(flight.name)) {
      load_alone(i);
      continue;
    }
    coordinator_.context_.store.rearm(flight, fills());
    // Its loader is shown what is read here: a caller who comes after this may be too late for what it makes of that.
    if (spec_.wants_previous) coordinator_.context_.store.begin_loading(flight, coordinator_.context_.now());
    queries_.push_back({.name = flight.name, .orders = flight.forced || urgency_ == LoadUrgency::behind});
    places_.push_back(i);
  }
  if (queries_.empty()) return false;
  L2Store& l2_store = coordinator_.l2_store();
  const bool ahead = may_read_ahead(place);
  bool answered = ahead && read_ahead();
  // What only reads may be answered where that was not.
  if (!answered && (!ahead || (l2_store.servers().up() && !TimeBudget::used_up()))) {
    *versions_ = Versions();
    answered = l2_store.reader().read(queries_, dependencies_, *versions_, expects_counter(*spec_.type), !fills());
  }
  // By another server than was asked first: what it has missed may have been pending and be confirmed by now.
  if (answered && pending.new_server_since(before_)) {
    ahead_.clear();
    answered = false;
  }
  if (answered) {
    note_found();
    return true;
  }
  for (const std::size_t i : places_) load_alone(i);
  return false;
}

void LeaseCoordinator::Acquisition::act_on(std::size_t n) {
  const std::size_t i = places_[n];
  const auto& flight = batch_.flights[i];
  const Found& found = queries_[n].found;
  if (found.unanswered) [[unlikely]]
    return load_alone(i);
  Claim claim;
  Freshness freshness = Freshness::miss;
  const LeaseStep step = decide_step(*flight, found, claim, freshness);
  if (needs_claim(step) && (without_scripts() || coordinator_.l2_store().leases().may_lease())) {
    claim.kind = Claim::Kind::entry;
    claim.order = queries_[n].order;
    wanted_.push_back({i, step, &found, std::move(claim)});
    if (step == LeaseStep::acquire && !ahead_.empty()) wanted_.back().ahead = std::move(ahead_[n]);
    return;
  }
  switch (step) {
    case LeaseStep::use:
      if (coordinator_.context_.store.revoked(*flight) &&
          looks_ < kRereads) {  // case 3 of flight.hpp: it is read again
        acquired_.foreign.add(batch_.items[i], flight);
      } else {
        coordinator_.land_found(*flight, *spec_.terms, std::move(claim.previous), freshness);
      }
      break;
    case LeaseStep::wait:
      flight->lease_conflicts = 0;
      flight->wait_for(found.lease.token, 0);
      acquired_.foreign.add(batch_.items[i], flight);
      break;
    case LeaseStep::back_off:
      coordinator_.back_off(flight, std::nullopt);
      break;
    default:
      go_without_claim(i, step, found);
  }
}

/// What it brings cannot be stored: a refresh that nobody waits for is left for a while.
void LeaseCoordinator::Acquisition::go_without_claim(std::size_t i, LeaseStep step, const Found& found) {
  if (step != LeaseStep::refresh) return load_alone(i);
  coordinator_.back_off(batch_.flights[i], coordinator_.l2_store().clock().to_local(found.view.terms.created));
}

LeaseStep LeaseCoordinator::Acquisition::decide_step(const Flight& flight, const Found& found, Claim& claim,
                                                     Freshness& freshness) {
  L2Cache& l2 = coordinator_.l2_;
  NodeRef& node = claim.previous;
  node.reset();
  SeenEntry seen{.kind = kind_of(found), .of_other_type = found.of_other_type};
  if (found.kind == Found::Kind::value) {
    const bool concerned = l2.concerned(found.view, flight.name, before_);
    const std::int64_t server_now = coordinator_.l2_store().clock().to_server(coordinator_.context_.now());
    auto validity = validity_of(found.view, *versions_, spec_.identity);
    const Freshness its = concerned ? Freshness::miss : evaluate(validity, server_now);
    const bool carries_tags = !spec_.identity->function || carries_all(found.view.tags, flight.tag_names);
    if (its != Freshness::miss && carries_tags) {
      node = l2.unpack(flight.key(), *spec_.type, found, validity.expired, flight.sequence, spec_.identity);
      if (!node) {
        node = l2.unpack_integer(flight.key(), *spec_.type, found, validity.expired, flight.sequence, spec_.identity);
      }
    }
    if (node) seen.freshness = freshness = its;
    validity.foreign = false;  // it counts for the function that stored it
    seen.others_use_it = !node && !concerned && evaluate(validity, server_now) != Freshness::miss;
  } else if (found.kind == Found::Kind::other) {
    if (!hides_plain_ && counts_plain(found, false) && may_be_counter(*spec_.type)) {
      node = l2.decode(flight.key(), *spec_.type, found.bytes);
    }
    if (node) {
      node->created = node->refresh_at = node->fresh_until = node->stale_until = coordinator_.context_.now();
      seen.kind = SeenEntry::Kind::value;
      seen.freshness = freshness = Freshness::fresh;
    }
    seen.others_use_it = !node && is_others(found);
  } else if (found.kind == Found::Kind::lease) {
    seen.lease_counts =
        is_current(found.lease, *versions_) && !coordinator_.levels_.leases()->is_given_back(found.lease.token);
    seen.lease_is_callers = LoadScope::holds_lease(found.lease.token);
    seen.others_use_it = !is_for(found.lease, flight);
  }
  const LeaseStep step = decide(seen, flight.forced, urgency_);
  // A refresh replaces whatever is there: nothing that began before it may stand after it.
  claim.displaces = step == LeaseStep::displace && !flight.forced;
  return step;
}

void LeaseCoordinator::Acquisition::claim(LoadPlace& place) {
  if (!place.try_hold()) {
    for (const Wanted& one : wanted_) acquired_.queued.add(batch_.items[one.place], batch_.flights[one.place]);
    return;
  }
  if (!know_versions()) {
    for (const Wanted& one : wanted_) go_without_claim(one.place, one.step, *one.found);
    return;
  }
  if (spec_.names_tags && clock_ == 0) clock_ = coordinator_.l2_store().versions().clock();
  // Decided once more, by the versions that the new value will be stored with: the loader may hand on the value that it
  // is shown, which must not count again.
  for (Wanted& one : wanted_) {
    Freshness freshness = Freshness::miss;
    one.step = decide_step(*batch_.flights[one.place], *one.found, one.claim, freshness);
  }
  if (without_scripts()) return claim_plain();
  Claims(coordinator_, batch_, spec_, urgency_, versions_, clock_, wanted_).take(acquired_);
}

/// The versions before the load are what it is stored with. False: they are not to be had.
bool LeaseCoordinator::Acquisition::know_versions() {
  // A function's version is kept for ever, a tag's as long as it is needed, which is to be said each time, unless the
  // server was asked for it by this process and the version is still the same.
  const TimePoint until = kept_until();
  const auto is_needed = [&](const std::string& name) {
    const Version* const version = versions_->there(name);
    if (!version || is_kept_for_ever(name)) return !version;
    const bool made = std::ranges::find(made_, name) != made_.end();
    return !made && !(read_ahead_ && coordinator_.l2_store().versions().is_kept(name, *version, until));
  };
  std::vector<std::string> needed;
  std::ranges::copy_if(dependencies_, std::back_inserter(needed), is_needed);
  if (needed.empty() && versions_->there({})) return true;
  return coordinator_.l2_store().versions().need(needed, life_of_versions(), *versions_);
}

Acquired LeaseCoordinator::acquire(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, int looks,
                                   LoadPlace& place) {
  if (spec.terms->raw) return acquire_raw(batch, spec, urgency, place);
  return Acquisition(*this, batch, spec, urgency, looks).run(place);
}

void LeaseCoordinator::land_found(Flight& flight, const EntryTerms& terms, NodeRef node, Freshness freshness) {
  counters_.add_hits(1);
  flight.found = freshness;
  context_.probes.at(Probes::Point::before_l1_store, flight.name);
  const bool reported = levels_.coherence().fills(terms);
  NodeRef value = node;
  Store::Landing landing;
  landing.found = true;
  if (node->shared) landing.replace_by = std::move(node);
  context_.store.land(flight, std::move(landing), context_.now());
  context_.probes.at(Probes::Point::after_store, flight.name);
  // Nobody joins any more, so what is asked now holds for all who did.
  // Case 4 of flight.hpp: where L1 keeps nothing of it, only another look shows those who came after it was read
  // whether it is still valid.
  const bool leader_only = !reported || context_.store.revoked(flight) || !levels_.coherence().fills(terms);
  // Case 2: tags that only the value names could not keep callers from joining.
  const bool overtaken = value->extra && value->extra->tags.invalidated() > flight.sequence;
  flight.finish([&] {
    flight.value = std::move(value);
    flight.from_l2 = true;
    flight.leader_only = leader_only;
    if (overtaken) flight.valid_before = flight.sequence + 1;
  });
}

void LeaseCoordinator::back_off(const std::shared_ptr<Flight>& flight, std::optional<TimePoint> created) {
  Store::Landing landing;
  landing.retry_after = saturating_add(context_.now(), kForeignRefresh);
  if (created) {
    landing.retry_of = saturating_add(*created, l2_store().clock().precision());
    backoffs_.begin(flight->name, *created, landing.retry_after);
  }
  context_.store.land(*flight, std::move(landing), context_.now());
  flight->finish([&] { flight->abandoned = true; });
}

bool LeaseCoordinator::wait_for_foreign(const Batch& waiting, int looks, TimePoint begun) {
  if (context_.closed()) return false;
  const TimeBudget::Pause others_time;
  const PlacesLent lent;
  ForeignLoads::Keys keys = 0;
  for (const auto& flight : waiting.flights) keys |= ForeignLoads::key(flight->hash);
  foreign_loads_.wait(keys, std::min<Duration>(kFirstLook * (1LL << std::min(looks, 10)), kLastLook));
  if (context_.closed()) return false;
  return !LoadScope::active() || std::chrono::steady_clock::now() - begun < kNestedPatience;
}

std::shared_ptr<Flight> LeaseCoordinator::load_waited_for(const Batch& waiting) const {
  for (const auto& flight : waiting.flights) {
    const auto lease = flight->awaited_lease();
    if (!lease) continue;
    if (auto load = levels_.leases()->flight_of(*lease)) return load;
  }
  return nullptr;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
