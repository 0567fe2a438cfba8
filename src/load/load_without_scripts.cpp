/// Where the server runs no scripts: a mark in the entry's place, and storing in place of that mark or of the value
/// that was read. See Claim::Kind::plain.
#include <algorithm>

#include "base/saturating_add.hpp"
#include "entry/entry.hpp"
#include "load/acquisition.hpp"
#include "load/store_requests.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// What stands in an entry's place while it is loaded where there are no leases: a value that counts for nobody.
constexpr std::string_view kPlainMark = "dsta: loaded without a lease";

std::string plain_mark(const LeaseToken& token, std::string_view key) {
  Envelope envelope;
  const std::uint64_t no_epoch[] = {0};
  envelope.terms = {.codec = codec_fingerprint(kPlainMark), .fresh_until = 0, .refresh_after = 0, .stale_until = 0};
  envelope.generation = token;
  envelope.epochs = no_epoch;
  envelope.key = key;
  return encode(envelope);
}
bool is_plain_mark(const Found& found) {
  return found.kind == Found::Kind::value && found.view.terms.codec == codec_fingerprint(kPlainMark);
}

}  // namespace

/// A mark takes the place of nothing, or of what does not count. Nobody waits for it: who finds one loads as well, and
/// the load that left it is the one that stores. What others use cannot be replaced on the condition that it is still
/// the same, so it stays.
void LeaseCoordinator::Acquisition::claim_plain() {
  L2Store& l2_store = coordinator_.l2_store();
  std::vector<std::string_view> names, dead;
  std::vector<std::string> marks;
  std::vector<Wanted*> marked;
  for (Wanted& one : wanted_) {
    const auto& flight = batch_.flights[one.place];
    one.claim.kind = Claim::Kind::plain;
    one.claim.versions = versions_;
    one.claim.clock = clock_;
    if (one.step == LeaseStep::replace || one.step == LeaseStep::refresh) {
      one.claim.replaces = true;
      one.claim.mark = one.found->mark();
      acquired_.owned.add(batch_.items[one.place], flight, std::move(one.claim));
    } else if (one.step == LeaseStep::acquire || (one.step == LeaseStep::take_over && !is_plain_mark(*one.found))) {
      if (one.step == LeaseStep::take_over) dead.push_back(flight->name);
      names.push_back(flight->name);
      marks.push_back(plain_mark(new_lease_token(), l2_store.keys().entry(flight->name)));
      one.claim.mark = mark_of(marks.back());
      marked.push_back(&one);
    } else if (needs_claim(one.step) || one.step == LeaseStep::load_alone) {
      load_alone(one.place);
    } else {  // what another process brought meanwhile
      acquired_.foreign.add(batch_.items[one.place], flight);
    }
  }
  if (!dead.empty()) l2_store.remover().remove_many(dead);
  if (marked.empty()) return;
  const std::vector<Done> done = l2_store.leases().take(names, marks, Leases::kDeserted);
  for (std::size_t n = 0; n < marked.size(); ++n) {
    Wanted& one = *marked[n];
    const auto& flight = batch_.flights[one.place];
    if (!done[n]) {
      load_alone(one.place);
      continue;
    }
    coordinator_.context_.store.revoke(flight->key(), flight.get());  // case 11 of flight.hpp
    acquired_.owned.add(batch_.items[one.place], flight, std::move(one.claim));
  }
}

/// What another process has put there since the loader began stays where this one has heard of it. Else it shows when
/// it is too late to leave it.
void LeaseCoordinator::request_plain_store(std::size_t i, const OwnedLoads& owned, const LoadSpec& spec, Prepared& mine,
                                           Loaded& loaded, Duration took, Requests& requests) {
  const Claim& claim = owned.claims[i];
  const Flight& flight = *owned.flights[i];
  // A report may be of this load's own mark, where own writes are reported.
  const bool changed = context_.store.revoked(flight) && !l2_store().leases().has_mark(flight.name, claim.mark);
  if (context_.store.fenced(flight) || changed) {
    mine.revoked = mine.revoked || mine.landing.replace_by;
    mine.landing = {};
    // What this process does to the key, now or by now, takes the mark's place itself.
    if (!claim.replaces && !context_.store.fenced_by_key(flight)) {
      l2_store().leases().remove_mark(flight.name, claim.mark);
    }
    return;
  }
  if (mine.landing.replace_by) limit_life(*mine.landing.replace_by);
  std::string bytes;
  const EntryAction action = store_action(i, owned, spec, mine, loaded, took, requests, bytes);
  if (action != EntryAction::set) {
    mine.landing.replace_by.reset();
    note_failed(flight, claim, mine);
    if (claim.replaces) {
      owe_removal(flight, mine);
    } else {
      l2_store().leases().remove_mark(flight.name, claim.mark);  // so that the next load can store
    }
    return;
  }
  requests.plain.push_back(
      {{flight.name, std::move(bytes), l2_.physical_life(mine.landing.replace_by->stale_until)}, claim.mark});
  requests.of_plain.push_back({i, true});
}

void LeaseCoordinator::limit_life(Node& node) const {
  const TimePoint end = saturating_add(context_.now(), context_.options.l1.untracked_ttl.value_or({}));
  node.refresh_at = std::min(node.refresh_at, end);
  node.fresh_until = std::min(node.fresh_until, end);
  node.stale_until = std::min(node.stale_until, end);
}

/// It is at L2, and there only: the next reader brings it here.
void LeaseCoordinator::note_plain(const Requests& requests, const OwnedLoads& owned, const LoadSpec& spec,
                                  std::vector<Prepared>& prepared) {
  const std::vector<Done> done = l2_store().writer().put_plain(requests.plain);
  for (std::size_t n = 0; n < done.size(); ++n) {
    const std::size_t i = requests.of_plain[n].flight;
    prepared[i].landing.replace_by.reset();
    if (done[n]) spec.identity->counters.add(Count::sets);
    if (done[n].status == Done::unknown) {
      counters_.add_unknown_write();
      // It may stand there in place of what was invalidated meanwhile.
      levels_.confirmations().add(Pending::Kind::key, owned.flights[i]->name);
    }
    if (done[n].executed() && !done[n]) prepared[i].revoked = true;  // somebody has stored there, or removed it
    // What L1 has of it is older.
    context_.store.revoke(owned.flights[i]->key());
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
