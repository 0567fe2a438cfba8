#include "load/take_claims.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <dsta/cache/detail/hash.hpp>

#include "base/little_endian.hpp"
#include "base/saturating_add.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// How often in a row a free place that nothing can be put in is believed in: then there is something of another type.
constexpr int kConflicts = 3;
/// A value that lives longer than any refresh takes need not be kept from running out.
constexpr std::chrono::minutes kLongLife{10};

}  // namespace

std::string lease_bytes(const LeaseToken& token, std::span<const std::string> dependencies, const Versions& versions,
                        std::string_view codec) {
  const std::uint64_t epochs[] = {versions.to_note({})};
  std::vector<TagVersion> tags;
  for (const auto& name : dependencies) tags.push_back({name, versions.to_note(name)});
  return encode(Lease{.token = token, .epochs = epochs, .tags = tags, .codec = codec_fingerprint(codec)});
}

LeaseCoordinator::Claims::Claims(LeaseCoordinator& coordinator, const Batch& batch, const LoadSpec& spec,
                                 LoadUrgency urgency, std::shared_ptr<const Versions> versions, std::uint64_t clock,
                                 std::vector<Wanted>& wanted)
    : coordinator_(coordinator),
      batch_(batch),
      spec_(spec),
      urgency_(urgency),
      versions_(std::move(versions)),
      clock_(clock),
      wanted_(wanted),
      l2_store_(coordinator.l2_store()),
      results_(wanted.size(), ClaimResult::taken) {}

void LeaseCoordinator::Claims::take(Acquired& acquired) {
  take_leases_beside(acquired);
  for (Wanted& one : wanted_) {
    one.claim.versions = versions_;
    one.claim.clock = clock_;
  }
  take_raw_leases(acquired);
  for (std::size_t n = 0; n < wanted_.size(); ++n) {
    Claim& claim = wanted_[n].claim;
    if (claim.kind != Claim::Kind::none) plan(n, acquired);
    // Before the request is sent: the coordinator's first invariant.
    if (claim.kind != Claim::Kind::none && claim.hold.ready()) claim.hold.begin();
  }
  ask();
  for (std::size_t n = 0; n < wanted_.size(); ++n) {
    if (wanted_[n].claim.kind != Claim::Kind::none) hand_out(n, acquired);
  }
}

void LeaseCoordinator::Claims::plan(std::size_t n, Acquired& acquired) {
  Wanted& one = wanted_[n];
  switch (one.step) {
    case LeaseStep::acquire:
    case LeaseStep::take_over:
      return plan_lease(n);
    case LeaseStep::join:
      return plan_join(n);
    case LeaseStep::displace:
      if (one.found->kind == Found::Kind::lease) return plan_join(n);
      return plan_refresh(n);
    case LeaseStep::refresh:
    case LeaseStep::replace:
      return plan_refresh(n);
    default:  // what another process brought in the meantime
      one.claim.kind = Claim::Kind::none;
      acquired.foreign.add(batch_.items[one.place], flight_of(one));
  }
}

/// A lease in the free place, or in the place of what does not count.
void LeaseCoordinator::Claims::plan_lease(std::size_t n) {
  if (wanted_[n].ahead) return plan_ahead(n);
  auto& [place, step, found, claim, ahead] = wanted_[n];
  const auto& flight = batch_.flights[place];
  const std::string key = l2_store_.keys().entry(flight->name);
  claim.generation = new_lease_token();
  std::string bytes =
      lease_bytes(claim.generation, dependencies_of(spec_.identity, flight->tag_names), *versions_, spec_.type->codec);
  if (step == LeaseStep::acquire) {
    free_.push_back(n);
    free_names_.push_back(flight->name);
    leases_.push_back(std::move(bytes));
  } else {
    replacing_.push_back(n);
    claim.mark = found->mark();
    replaces_.push_back({key, {.mark = claim.mark}, EntryAction::set, Leases::kLife, std::move(bytes)});
  }
  claim.hold = coordinator_.make_hold(flight, spec_, key, claim.generation, claim.order, true);
}

/// The server was asked when the entry was read. A lease that names other versions than those that were read counts for
/// nobody: one that names these takes its place, unless something else has.
void LeaseCoordinator::Claims::plan_ahead(std::size_t n) {
  Claim& claim = wanted_[n].claim;
  Ahead& ahead = *wanted_[n].ahead;
  claim.generation = ahead.token;
  results_[n] = claim_result(ahead.done);
  const auto& flight = flight_of(wanted_[n]);
  const auto names = dependencies_of(spec_.identity, flight->tag_names);
  const auto bytes = [&](const LeaseToken& token) { return lease_bytes(token, names, *versions_, spec_.type->codec); };
  if (results_[n] != ClaimResult::taken || bytes(ahead.token) == ahead.bytes) {
    claim.hold = std::move(ahead.hold);
    return;
  }
  // By a token of its own: who has joined the old one holds nothing of this.
  const std::string key = l2_store_.keys().entry(flight->name);
  const LeaseToken token = new_lease_token();
  replacing_.push_back(n);
  replaces_.push_back({key, claim.at_server(), EntryAction::set, Leases::kLife, bytes(token)});
  claim.generation = token;
  claim.hold = coordinator_.make_hold(flight, spec_, key, token, claim.order, true);
}

/// A share in the lease of the load that is under way. Where its value is for others, none: who waits for that load
/// goes by what its lease says, so it must end with that load. A refresh has one all the same: without it a load that
/// began before the refresh could take the place that the other load leaves, and store there afterwards.
void LeaseCoordinator::Claims::plan_join(std::size_t n) {
  auto& [place, step, found, claim, ahead] = wanted_[n];
  const auto& flight = batch_.flights[place];
  claim.generation = found->lease.token;
  claim.order = std::max<std::uint32_t>(claim.order, 1);
  if (claim.displaces) return;
  const std::string key = l2_store_.keys().entry(flight->name);
  claim.joined = true;
  replacing_.push_back(n);
  replaces_.push_back({key, claim.at_server(), EntryAction::join, Leases::kLife});
  claim.hold = coordinator_.make_hold(flight, spec_, key, claim.generation, claim.order, true);
}

/// The value stays until the new one takes its place; where it would run out before, its life is prolonged.
void LeaseCoordinator::Claims::plan_refresh(std::size_t n) {
  auto& [place, step, found, claim, ahead] = wanted_[n];
  const auto& flight = batch_.flights[place];
  const EnvelopeView& view = found->view;
  if (view.has_generation) {
    claim.generation = view.generation;
    // Of several refreshes the one that began last stands, whether a caller asked for it or the value was due. What
    // displaces the value comes before all of them: which of the loads began first is not known.
    claim.order = claim.displaces ? view.order : std::max(claim.order, view.order + 1);
    if (claim.displaces) claim.mark = found->mark();
  } else {
    claim.mark = found->mark();
    claim.generation = new_lease_token();  // of what takes its place
  }
  const TimePoint ends = l2_store_.clock().to_local(view.terms.stale_until);
  const TimePoint now = coordinator_.context_.now();
  if (!view.has_generation || ends > saturating_add(now, kLongLife)) return;
  const std::string key = l2_store_.keys().entry(flight->name);
  claim.hold = coordinator_.make_hold(flight, spec_, key, claim.generation, claim.order, false);
  if (ends > saturating_add(now, Leases::kLife)) return;
  replacing_.push_back(n);
  replaces_.push_back({key, claim.at_server(), EntryAction::keep, Leases::kLife});
}

/// The leases beside entries, which keep the fleet from loading twice what is to take their places.
void LeaseCoordinator::Claims::take_leases_beside(Acquired& acquired) {
  std::vector<LeaseStore::RefreshTake> takes;
  std::vector<Wanted*> asked;
  std::vector<std::string> keys;
  for (Wanted& one : wanted_) {
    const auto& flight = flight_of(one);
    if (one.step != LeaseStep::refresh && (one.step != LeaseStep::displace || flight->forced)) continue;
    takes.push_back({flight->name, beside(one), new_lease_token()});
    keys.push_back(l2_store_.keys().refresh_lease(flight->name, takes.back().checksum));
    one.claim.refresh = coordinator_.make_hold(flight, spec_, keys.back(), takes.back().token, 0, true);
    one.claim.refresh.begin();
    asked.push_back(&one);
  }
  const auto done = l2_store_.leases().take_for_refresh(takes, Leases::kLife);
  for (std::size_t n = 0; n < asked.size(); ++n) {
    asked[n]->claim.refresh.taken(done[n]);
    if (!done[n]) leave_to_others(*asked[n], done[n], keys[n], acquired);
  }
}

/// Names the lease: for a refresh by the value. Those who displace it wait for none whose value they could not use.
std::uint64_t LeaseCoordinator::Claims::beside(const Wanted& one) const {
  if (one.step == LeaseStep::refresh) return one.found->checksum();
  std::string all;
  const Found& found = *one.found;
  append_little(all, found.kind == Found::Kind::other ? stable_hash(found.bytes).first : found.checksum());
  all += spec_.type->codec;
  for (const auto& name : dependencies_of(spec_.identity, flight_of(one)->tag_names)) {
    append_little(all, name.size());
    all += name;
  }
  return stable_hash(all).first;
}

/// Bytes without an envelope stay until the load ends, and only what stands beside them shows that they are still the
/// same and not written again: the lease of a raw value, which every writer removes. The loads share it.
void LeaseCoordinator::Claims::take_raw_leases(Acquired& acquired) {
  std::vector<RawWish> wishes;
  for (Wanted& one : wanted_) {
    const bool beside = one.step == LeaseStep::displace && one.found->kind == Found::Kind::other;
    if (!beside || one.claim.kind == Claim::Kind::none) continue;
    const bool forced = flight_of(one)->forced;  // it loads whatever is there by now
    wishes.push_back({.place = one.place,
                      .claim = std::move(one.claim),
                      .read = forced ? std::string() : one.found->mark(),
                      .joins = true});
    one.claim.kind = Claim::Kind::none;
  }
  if (!wishes.empty()) coordinator_.take_raw_claims(batch_, spec_, urgency_, wishes, acquired);
}

/// Another process has the lease: what it refreshes is put off, what it displaces is waited for.
void LeaseCoordinator::Claims::leave_to_others(Wanted& one, const Done& done, const std::string& lease_key,
                                               Acquired& acquired) {
  one.claim.kind = Claim::Kind::none;
  const auto& flight = flight_of(one);
  if (one.step == LeaseStep::refresh) {
    coordinator_.back_off(flight, l2_store_.clock().to_local(one.found->view.terms.created));
  } else if (claim_result(done) != ClaimResult::conflict) {
    acquired.owned.add(batch_.items[one.place], flight, {});
  } else if (urgency_ == LoadUrgency::behind) {
    coordinator_.back_off(flight, std::nullopt);
  } else {
    flight->wait_for(coordinator_.levels_.leases()->held_under(lease_key).value_or(LeaseToken{}), 0);
    acquired.foreign.add(batch_.items[one.place], flight);
  }
}

void LeaseCoordinator::Claims::ask() {
  for (const std::size_t n : free_) coordinator_.context_.store.begin_claim(*flight_of(wanted_[n]));
  for (const std::size_t n : replacing_) coordinator_.context_.store.begin_claim(*flight_of(wanted_[n]));
  const auto done_free =
      free_.empty() ? std::vector<Done>() : l2_store_.leases().take(free_names_, leases_, Leases::kLife);
  for (std::size_t n = 0; n < free_.size(); ++n) results_[free_[n]] = claim_result(done_free[n]);
  const auto done = replaces_.empty() ? std::vector<Done>() : l2_store_.leases().replace(replaces_);
  for (std::size_t n = 0; n < replacing_.size(); ++n) results_[replacing_[n]] = claim_result(done[n]);
}

void LeaseCoordinator::Claims::hand_out(std::size_t n, Acquired& acquired) {
  auto& [place, step, found, claim, ahead] = wanted_[n];
  const auto& flight = batch_.flights[place];
  const std::size_t item = batch_.items[place];
  // Where nothing is read and nothing can be put, again and again, there is something of another type.
  const bool takes_place = step == LeaseStep::acquire || step == LeaseStep::take_over;
  const bool joins = claim.joined || step == LeaseStep::displace;
  const bool of_other_type = results_[n] == ClaimResult::conflict && !joins && ++flight->lease_conflicts >= kConflicts;
  if (results_[n] == ClaimResult::taken) {
    if (takes_place) {
      coordinator_.context_.store.revoke(flight->key(), flight.get());  // case 11 of flight.hpp
      claim.mark.clear();  // the lease stands for the claim now, and not what it has replaced
    }
    if (ahead) ahead->hold.dropped();  // unless it is the claim's own, another one stands in its place
    flight->generation = claim.generation;
    flight->order = claim.order;
    flight->versions = versions_;
    // A caller that comes later and cannot know whether the claim stands waits for its end.
    flight->claimed.store(!claim.displaces, std::memory_order_release);
    flight->leased.store(takes_place || claim.joined, std::memory_order_release);
    acquired.owned.add(item, flight, std::move(claim));
    return;
  }
  if (results_[n] == ClaimResult::unknown) {
    claim.hold.give_up();
    acquired.owned.add(item, flight, {});
    return;
  }
  claim.hold.dropped();
  if (results_[n] == ClaimResult::refused || of_other_type) {
    acquired.owned.add(item, flight, {});
  } else {
    acquired.foreign.add(item, flight);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
