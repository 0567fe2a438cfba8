/// Before a load that is expected to find nothing at L2: one request that reads and takes the lease.
#include <algorithm>

#include "base/saturating_add.hpp"
#include "entry/dependency.hpp"
#include "load/acquisition.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Only a load that is sure to follow when nothing is found: it has its place, and nobody else is known to load.
bool LeaseCoordinator::Acquisition::may_read_ahead(const LoadPlace& place) const {
  const L2Store& l2_store = coordinator_.l2_store();
  return looks_ == 0 && urgency_ == LoadUrgency::wanted && place.has() && l2_store.leases().may_lease() &&
         std::ranges::none_of(batch_.flights, &Flight::forced) && coordinator_.expects_miss(spec_) &&
         coordinator_.l2_store().servers().takes_writes();
}

/// In this order, as if by requests of their own: the entries and versions are read, versions made, the clock read, the
/// leases taken. A lease must name the versions, so it is taken here only where they are remembered; they are read all
/// the same, and compared in Claims::plan_ahead.
bool LeaseCoordinator::Acquisition::read_ahead() {
  L2Store& l2_store = coordinator_.l2_store();
  const TimePoint until = kept_until();
  Versions remembered;
  AfterRead after{.life = life_of_versions(), .wants_clock = spec_.names_tags, .lease_life = Leases::kLife};
  std::vector<std::string> needed;
  if (l2_store.versions().recall(dependencies_, until, remembered)) {
    plan_leases(remembered);
  } else {
    if (!remembered.there({})) needed.emplace_back();
    std::ranges::copy_if(dependencies_, std::back_inserter(needed),
                         [&](const auto& name) { return !remembered.there(name); });
    after.needed = needed;
  }
  // A tag may have been invalidated just now, and the report be on its way.
  const bool bypass_memory = !fills() || !std::ranges::all_of(dependencies_, is_kept_for_ever);
  read_ahead_ = l2_store.reader().read(queries_, dependencies_, *versions_, true, bypass_memory, &after);
  note_lease_results(read_ahead_);
  if (after.made) made_ = std::move(needed);
  clock_ = after.clock;
  return read_ahead_;
}

void LeaseCoordinator::Acquisition::plan_leases(const Versions& remembered) {
  ahead_.reserve(queries_.size());
  for (std::size_t n = 0; n < queries_.size(); ++n) {
    const auto& flight = batch_.flights[places_[n]];
    Ahead& ahead = ahead_.emplace_back();
    ahead.token = new_lease_token();
    ahead.bytes = lease_bytes(ahead.token, detail::dependencies_of(spec_.identity, flight->tag_names), remembered,
                              spec_.type->codec);
    ahead.hold =
        coordinator_.make_hold(flight, spec_, coordinator_.l2_store().keys().entry(flight->name), ahead.token, 0, true);
    // Before the request is sent: the coordinator's first invariant.
    ahead.hold.begin();
    queries_[n].lease = ahead.bytes;
  }
}

void LeaseCoordinator::Acquisition::note_lease_results(bool answered) {
  bool refused = !answered;
  for (std::size_t n = 0; n < ahead_.size(); ++n) {
    EntryQuery& query = queries_[n];
    ahead_[n].done = query.taken;
    query.lease = {};
    refused = refused || !query.taken.why.empty();
    ahead_[n].hold.taken(query.taken);
    if (!query.taken) continue;
    // Case 11 of flight.hpp.
    const auto& flight = batch_.flights[places_[n]];
    coordinator_.context_.store.revoke(flight->key(), flight.get());
    // It went in between.
    if (answered) query.found = Found();
  }
  if (refused) coordinator_.prediction_.pause(std::chrono::steady_clock::now());
  if (!answered) ahead_.clear();
}

void LeaseCoordinator::Acquisition::note_found() {
  if (looks_ != 0 || urgency_ != LoadUrgency::wanted) return;
  std::ptrdiff_t more_values = 0;
  for (std::size_t n = 0; n < queries_.size(); ++n) {
    if (batch_.flights[places_[n]]->forced) return;
    const Found::Kind kind = queries_[n].found.kind;
    if (kind != Found::Kind::lease) more_values += kind == Found::Kind::nothing ? -1 : 1;
  }
  if (more_values != 0) coordinator_.prediction_.note(spec_.identity, more_values > 0);
}

Duration LeaseCoordinator::Acquisition::life_of_versions() const {
  const EntryTerms& terms = *spec_.terms;
  const TimePoint now = coordinator_.context_.now();
  return coordinator_.l2_.version_life(saturating_add(saturating_add(now, terms.ttl), terms.stale_for));
}

/// Longer than the entry will live, and so much less than what the server is asked for that not every load asks.
TimePoint LeaseCoordinator::Acquisition::kept_until() const {
  const Duration life = life_of_versions();
  return life <= Duration::zero() ? TimePoint::max()
                                  : saturating_add(std::chrono::steady_clock::now(), life - life / 4);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
