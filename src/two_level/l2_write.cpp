/// Storing values at L2.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include <dsta/cache/error.hpp>
#include <dsta/cache/key.hpp>

#include "base/time_budget.hpp"
#include "entry/dependency.hpp"
#include "entry/entry.hpp"
#include "entry/tags.hpp"
#include "l1/store.hpp"
#include "l2/client/reason.hpp"
#include "l2/values/compression.hpp"
#include "two_level/l2_cache.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Versions may have been raised since they were seen: then the value is written once more with the new ones.
constexpr int kTries = 4;
/// Another server answered than before, whose clock is another. Less than this is a round trip that took long.
constexpr std::chrono::microseconds kTolerance{100'000};
/// A version is kept for longer than any entry that depends on it.
constexpr std::chrono::hours kVersionLife{1};
/// Keys of one write whose outcome is unknown.
constexpr std::size_t kMostOwed = 1024;
/// Where the time is not the system's, the server cannot know when an entry ends.
constexpr std::chrono::hours kLifeByOtherClock{1};

/// Reading it would end the connection, and so does writing it where the server's own limit is the default, the same.
constexpr std::string_view kTooLarge = "the value is larger than max_reply_bytes, so it could not be read";

constexpr std::string_view kTooManyTags = "the value has more tags than an entry at the server can note (65534)";

std::int64_t microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

/// The bytes of a value of this type, which `write` returns. What the user's codec throws becomes a ValueError.
template <class Write>
std::string written(const TypeOps& type, const Write& write) {
  try {
    return write();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {  // converted
    std::rethrow_exception(as_value_error(type, {}));
  }
}

PutOutcome to_outcome(const Done& done) {
  switch (done.status) {
    case Done::yes:
      return PutOutcome::stored;
    case Done::no:
    case Done::overtaken:
      break;
    case Done::unknown:
      return PutOutcome{PutOutcome::unknown, done.why};
  }
  return PutOutcome{PutOutcome::not_stored_server, done.why};
}

}  // namespace

std::exception_ptr as_value_error(const TypeOps& type, std::string_view prefix) {
  const auto refused = [&](std::string_view why) {
    const std::string where = prefix.empty() ? std::string() : fmt::format(" under prefix '{}'", prefix);
    return std::make_exception_ptr(
        ValueError(fmt::format("the codec '{}' cannot write a value{}: {}", type.codec, where, why)));
  };
  try {
    throw;
  } catch (const ValueError&) {
    return std::current_exception();
  } catch (const std::exception& error) {
    return refused(error.what());
  } catch (...) {
    return refused("it threw an exception that is not a std::exception");
  }
}

Duration L2Cache::physical_life(TimePoint stale_until) const {
  if (stale_until == TimePoint::max()) return Duration::zero();
  const Duration left = std::max(Duration(stale_until - context_.now()), Duration(std::chrono::milliseconds(1)));
  return context_.reads_system_clock ? left : std::max(left, Duration(kLifeByOtherClock));
}

Duration L2Cache::version_life(TimePoint stale_until) const {
  const Duration life = physical_life(stale_until);
  if (life == Duration::zero()) return life;
  return std::max(Duration(kVersionLife), life < Duration::max() / 2 ? 2 * life : life);
}

std::string L2Cache::pack(const Node& node, const EntryTerms& terms, std::span<const std::string> dependencies,
                          const Versions& versions, Duration load_cost, bool negative, const LeaseToken& generation,
                          std::uint32_t order) const {
  std::string payload;
  node.type->encode(node.value(), payload);
  Envelope envelope;
  envelope.generation = generation;
  envelope.order = order;
  EnvelopeTerms& out = envelope.terms;
  if (terms.compress_above && payload.size() >= *terms.compress_above) {
    if (auto smaller = compress(payload)) {
      out.uncompressed_size = payload.size();
      payload = std::move(*smaller);
    }
  }
  const ServerClock& clock = l2_store().clock();
  out.codec = codec_fingerprint(node.type->codec);
  out.created = clock.to_server_at_least(node.created);
  out.fresh_until = clock.to_server_at_least(node.fresh_until);
  out.refresh_after = std::min(out.fresh_until, clock.to_server_at_least(node.refresh_at));
  out.stale_until = std::max(out.fresh_until, clock.to_server_at_least(node.stale_until));
  out.load_cost = static_cast<std::uint64_t>(std::max<std::int64_t>(0, microseconds(load_cost)));
  out.negative = negative;
  const std::uint64_t epochs[] = {versions.to_note({})};
  std::vector<TagVersion> tags;
  for (const auto& name : dependencies) tags.push_back({name, versions.to_note(name)});
  const std::string key = l2_store().keys().entry(node.name());
  envelope.epochs = epochs;
  envelope.tags = tags;
  envelope.etag = etag_of(node);
  envelope.key = key;
  envelope.payload = payload;
  return encode(envelope);
}

std::vector<PutOutcome> L2Cache::write(std::vector<NodeRef>& nodes, const EntryTerms& terms,
                                       const std::vector<std::string>& tags) {
  const TimeBudget::Operation budget(context_.time_limit());
  const Identity* const identity = nodes.front()->identity;
  const auto dependencies = dependencies_of(identity, tags);
  const TimePoint stale_until = nodes.front()->stale_until;
  std::vector<PutOutcome> outcomes(nodes.size(),
                                   PutOutcome{PutOutcome::not_stored_server, "the server is out of reach"});

  std::vector<std::shared_ptr<Flight>> flights;  // case 6 of flight.hpp
  const auto begin = [&] {
    for (const NodeRef& node : nodes) {
      LoadSpec spec;
      spec.type = node->type;
      const KeyView key{node->name(), node->full(), node->hash, !node->is_long};
      auto& flight =
          flights.emplace_back(std::make_shared<Flight>(key, spec, std::vector<std::string>(), node->sequence));
      flight->kind = FlightKind::write;
      context_.store.begin(flight);
    }
  };
  const bool keep = coherence().fills(terms);
  std::vector<std::string> names;  // the nodes may be gone by then
  if (l2_store().announces()) {
    for (const NodeRef& node : nodes) names.emplace_back(node->name());
  }
  std::vector<SendOrder> orders(nodes.size());  // what is refused once is written by another request
  const auto end = [&] {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      NodeRef kept;
      if (keep && outcomes[i] == PutOutcome::stored) kept = std::move(nodes[i]);
      context_.probes.at(Probes::Point::before_l1_store, flights[i]->name);
      context_.store.end_write(*flights[i], std::move(kept), orders[i], context_.now());
    }
  };
  try {
    begin();
    if (terms.raw) {
      write_raw(nodes, outcomes);
    } else {
      LastReason::set({});
      write_entries(nodes, terms, dependencies, version_life(stale_until), outcomes, orders);
    }
  } catch (...) {  // the user's codec refuses the value; or there is no memory, and nobody knows what was written
    for (const auto& flight : flights) context_.store.end_write(*flight, {}, {}, context_.now());
    throw;
  }
  std::vector<KeyView> refused;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] == PutOutcome::unknown) counters_.add_unknown_write();
    if (outcomes[i].why == kTooLarge || outcomes[i].why == kTooManyTags) refused.push_back(flights[i]->key());
  }
  end();
  owe_announcements(names, outcomes);
  // What it was to replace is older: as in L1, where an entry goes that is to be replaced by one too large.
  for (const KeyView& key : refused) remove(key, terms.raw);
  return outcomes;
}

/// Other processes may not have been notified of a write whose outcome is unknown: it is undone, and they are notified
/// of that. Of a large one only a part is: too many intents would become one for the whole namespace. The rest expires
/// by untracked_ttl.
void L2Cache::owe_announcements(std::span<const std::string> names, std::span<const PutOutcome> outcomes) {
  std::size_t owed = 0;
  for (std::size_t i = 0; i < names.size() && owed < kMostOwed && pending().has_room(); ++i) {
    if (outcomes[i] != PutOutcome::unknown) continue;
    confirmations().add(Pending::Kind::key, names[i]);
    ++owed;
  }
}

void L2Cache::write_raw(const std::vector<NodeRef>& nodes, std::vector<PutOutcome>& outcomes) {
  std::vector<EntryWriter::Put> puts;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::string bytes = written(*nodes[i]->type, [&] {
      std::string out;
      nodes[i]->type->encode(nodes[i]->value(), out);
      return out;
    });
    if (pending().concerns_plain() || pending().concerns_key(nodes[i]->name())) continue;
    if (bytes.size() > context_.options.pool.max_reply_bytes) {
      outcomes[i] = {PutOutcome::not_stored_server, kTooLarge};
      continue;
    }
    puts.push_back({nodes[i]->name(), std::move(bytes), physical_life(nodes[i]->stale_until)});
    places.push_back(i);
  }
  const std::vector<Done> done = l2_store().writer().put_raw(puts);
  for (std::size_t n = 0; n < done.size(); ++n) outcomes[places[n]] = to_outcome(done[n]);
}

/// Those that may be written now; of the others the outcome says why not. `places`: which of the nodes each is.
std::vector<EntryWriter::Put> L2Cache::encode_entries(const std::vector<NodeRef>& nodes, const EntryTerms& terms,
                                                      const std::vector<std::string>& dependencies,
                                                      const Versions& versions, std::vector<std::size_t>& places,
                                                      std::vector<PutOutcome>& outcomes) {
  const auto blocked = [&](const Node& node) {
    return pending().any() &&
           (pending().concerns_key(node.name()) ||
            std::ranges::any_of(dependencies, [&](const auto& name) { return pending().concerns_dependency(name); }));
  };
  std::vector<EntryWriter::Put> puts;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (blocked(*nodes[i])) {
      outcomes[i] = {PutOutcome::not_stored_server, "an invalidation of the key waits to be confirmed"};
      continue;
    }
    if (TimeBudget::used_up()) {  // large values take their time to be encoded
      outcomes[i] = {PutOutcome::not_stored_server, "no time was left to ask the server"};
      continue;
    }
    std::string bytes = written(*nodes[i]->type, [&] {
      return pack(*nodes[i], terms, dependencies, versions, {}, false, new_lease_token(), 0);
    });
    if (bytes.size() > context_.options.pool.max_reply_bytes) {
      outcomes[i] = {PutOutcome::not_stored_server, kTooLarge};
      continue;
    }
    puts.push_back({nodes[i]->name(), std::move(bytes), physical_life(nodes[i]->stale_until)});
    places.push_back(i);
  }
  return puts;
}

void L2Cache::write_entries(const std::vector<NodeRef>& nodes, const EntryTerms& terms,
                            const std::vector<std::string>& dependencies, Duration life,
                            std::vector<PutOutcome>& outcomes, std::vector<SendOrder>& orders) {
  Versions versions;
  if (dependencies.size() >= kMaxDependencies) {
    std::ranges::fill(outcomes, PutOutcome{PutOutcome::not_stored_server, kTooManyTags});
    return;
  }
  bool known = l2_store().versions().guess(dependencies, life, versions);
  bool stands = false;  // and counts, with times that are not the server's
  for (int attempt = 0; attempt < kTries && known; ++attempt) {
    std::vector<std::size_t> places;
    const auto puts = encode_entries(nodes, terms, dependencies, versions, places, outcomes);
    if (puts.empty()) return;
    for (const NodeRef& node : nodes) {
      context_.probes.at(Probes::Point::before_l2_store, node->name());
    }
    Versions after;
    // While the channel is up, what is remembered is what they are, but for what is on its way: the namespace is seldom
    // emptied, but a tag may have been invalidated just now, to be set again.
    const bool sure = dependencies.empty() && coherence().fills(terms) && l2_store().versions().are_reported();
    const std::int64_t dated_by = l2_store().clock().ahead();
    const auto done = l2_store().writer().put(puts, dependencies, sure ? nullptr : &after);
    bool answered = false;
    for (std::size_t n = 0; n < places.size(); ++n) {
      outcomes[places[n]] =
          to_outcome(stands && done[n].status == Done::no ? Done{Done::unknown, done[n].why} : done[n]);
      if (done[n]) orders[places[n]] = done[n].order;
      answered = answered || done[n];
    }
    const bool misdated = std::abs(l2_store().clock().ahead() - dated_by) > kTolerance.count();
    if (!answered || (sure && !misdated)) return;
    stands = stands || misdated;
    if (sure) continue;
    bool same = !misdated, missing = false;
    const auto compare = [&](std::string_view name) {
      const auto* used = versions.find(name);
      const auto* now_there = after.find(name);
      missing = missing || !now_there || !*now_there;
      same = same && used && now_there && *used == *now_there;
    };
    compare({});
    for (const auto& name : dependencies) compare(name);
    if (same) return;
    // What was written counts for nobody; once more.
    versions = std::move(after);
    if (missing) known = l2_store().versions().need(dependencies, life, versions);
    for (const std::size_t i : places) {
      outcomes[i] = {PutOutcome::not_stored_server, "its tags were invalidated while it was stored"};
    }
  }
  // The versions that it was to be stored with were not to be had.
  if (!known && !LastReason::get().empty()) {
    const PutOutcome refused{PutOutcome::not_stored_server, LastReason::get()};
    for (PutOutcome& outcome : outcomes) outcome = outcome == PutOutcome::unknown ? outcome : refused;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
