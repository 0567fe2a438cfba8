/// Telling the shared level: values, removals and invalidations, and what becomes of those it does not confirm.
#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/error.hpp>
#include <dsta/cache/key.hpp>

#include "entry.hpp"
#include "glob.hpp"
#include "integer_errors.hpp"
#include "l1/store.hpp"
#include "l2/compression.hpp"
#include "l2/time_budget.hpp"
#include "shared.hpp"
#include "tags.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Versions may have been raised since they were seen: then the value is written once more with the new ones.
constexpr int kTries = 4;
/// A version is kept for longer than any entry that depends on it.
constexpr std::chrono::hours kVersionLife{1};
/// Where the time is not the system's, the server cannot know when an entry ends.
constexpr std::chrono::hours kLifeByOtherClock{1};

std::int64_t microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

PutOutcome to_outcome(const Done& done) {
  switch (done.status) {
    case Done::yes:
      return PutOutcome::stored;
    case Done::no:
      break;
    case Done::unknown:
      return PutOutcome{PutOutcome::unknown, done.why};
  }
  return PutOutcome{PutOutcome::not_stored_server, done.why};
}

}  // namespace

Duration Core::physical_life(TimePoint stale_until) const {
  if (stale_until == TimePoint::max()) return Duration::zero();
  const Duration left = std::max(Duration(stale_until - now()), Duration(std::chrono::milliseconds(1)));
  return reads_system_clock_ ? left : std::max(left, Duration(kLifeByOtherClock));
}

Duration Core::version_life(TimePoint stale_until) const {
  const Duration life = physical_life(stale_until);
  if (life == Duration::zero()) return life;
  return std::max(Duration(kVersionLife), life < Duration::max() / 2 ? 2 * life : life);
}

std::vector<std::string> Core::dependencies_of(const Identity* identity, const std::vector<std::string>& tags) {
  std::vector<std::string> dependencies;
  if (identity && identity->function) dependencies.push_back(function_dependency(identity->text()));
  for (const auto& tag : tags) {
    if (std::ranges::find(dependencies, tag) == dependencies.end()) dependencies.push_back(tag);
  }
  return dependencies;
}

std::string Core::pack(const Node& node, const EntryTerms& terms, std::span<const std::string> dependencies,
                       const Versions& versions, Duration load_cost, bool negative) const {
  std::string payload;
  node.type->encode(node.value(), payload);
  Envelope envelope;
  EnvelopeTerms& out = envelope.terms;
  if (terms.compress_above && payload.size() >= *terms.compress_above) {
    if (auto smaller = compress(payload)) {
      out.uncompressed_size = payload.size();
      payload = std::move(*smaller);
    }
  }
  const ServerClock& clock = shared_->remote.clock();
  out.codec = codec_fingerprint(node.type->codec);
  out.created = clock.to_server(node.created);
  out.fresh_until = clock.to_server(node.fresh_until);
  out.refresh_after = std::min(out.fresh_until, clock.to_server(node.attention));
  out.stale_until = std::max(out.fresh_until, clock.to_server(node.stale_until));
  out.load_cost = static_cast<std::uint64_t>(std::max<std::int64_t>(0, microseconds(load_cost)));
  out.negative = negative;
  const auto of = [&](std::string_view name) {
    const auto* version = versions.find(name);
    return version && *version ? (*version)->expired : 0;
  };
  const std::uint64_t epochs[] = {of({})};
  std::vector<TagVersion> tags;
  for (const auto& name : dependencies) tags.push_back({name, of(name)});
  const std::string key = shared_->remote.keys().entry(node.name());
  envelope.epochs = epochs;
  envelope.tags = tags;
  envelope.etag = etag_of(node);
  envelope.key = key;
  envelope.payload = payload;
  return encode(envelope);
}

std::vector<PutOutcome> Core::put_shared(std::vector<NodeRef>& nodes, const EntryTerms& terms,
                                         const std::vector<std::string>& tags) {
  const TimeBudget::Operation budget(time_limit());
  Remote& remote = shared_->remote;
  const Identity* const identity = nodes.front()->identity;
  const auto dependencies = dependencies_of(identity, tags);
  const TimePoint stale_until = nodes.front()->stale_until;
  std::vector<PutOutcome> outcomes(nodes.size(),
                                   PutOutcome{PutOutcome::not_stored_server, "the server is out of reach"});

  std::vector<std::shared_ptr<Flight>> flights;
  for (const NodeRef& node : nodes) {
    LoadSpec spec;
    spec.type = node->type;
    const KeyView key{node->name(), node->full(), node->hash, node->full_size == 0};
    auto& flight =
        flights.emplace_back(std::make_shared<Flight>(key, spec, std::vector<std::string>(), node->sequence));
    flight->course = Course::write;
    store_->begin(flight);
  }
  const bool keep = fills(terms);
  const auto end = [&] {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      NodeRef kept;
      if (keep && outcomes[i] == PutOutcome::stored) kept = std::move(nodes[i]);
      if (probe) probe(Point::before_l1_store, flights[i]->name);
      store_->end_write(*flights[i], std::move(kept), now());
    }
  };
  try {
    if (terms.raw) {
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        std::string bytes;
        nodes[i]->type->encode(nodes[i]->value(), bytes);
        if (shared_->pending.concerns_key(nodes[i]->name())) continue;
        outcomes[i] = to_outcome(remote.put_raw(nodes[i]->name(), bytes, physical_life(nodes[i]->stale_until)));
      }
    } else {
      write_entries(nodes, terms, dependencies, version_life(stale_until), outcomes);
    }
  } catch (...) {  // the user's codec refuses the value, and nothing was written
    for (const auto& flight : flights) store_->end_write(*flight, {}, now());
    throw;
  }
  end();
  for (const PutOutcome& outcome : outcomes) {
    if (outcome == PutOutcome::unknown) shared_->unknown.fetch_add(1, std::memory_order_relaxed);
  }
  return outcomes;
}

void Core::write_entries(const std::vector<NodeRef>& nodes, const EntryTerms& terms,
                         const std::vector<std::string>& dependencies, Duration life,
                         std::vector<PutOutcome>& outcomes) {
  Remote& remote = shared_->remote;
  const auto blocked = [&](const Node& node) {
    return shared_->pending.any() &&
           (shared_->pending.concerns_key(node.name()) || std::ranges::any_of(dependencies, [&](const auto& name) {
              return shared_->pending.concerns_dependency(name);
            }));
  };
  Versions versions;
  bool known = remote.guess_versions(dependencies, life, versions);
  for (int attempt = 0; attempt < kTries && known; ++attempt) {
    std::vector<Remote::Put> puts;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (blocked(*nodes[i])) {
        outcomes[i] = {PutOutcome::not_stored_server, "an invalidation of the key waits to be confirmed"};
        continue;
      }
      puts.push_back({nodes[i]->name(), pack(*nodes[i], terms, dependencies, versions, {}, false),
                      physical_life(nodes[i]->stale_until)});
      places.push_back(i);
    }
    if (puts.empty()) return;
    for (const NodeRef& node : nodes) {
      if (probe) probe(Point::before_shared_store, node->name());
    }
    Versions after;
    // Where changes are told, what is remembered is what they are.
    const bool told = remote.versions_are_told();
    const auto done = remote.put(puts, dependencies, told ? nullptr : &after);
    bool answered = false;
    for (std::size_t n = 0; n < places.size(); ++n) {
      outcomes[places[n]] = to_outcome(done[n]);
      answered = answered || done[n];
    }
    if (!answered || told) return;
    bool same = true, missing = false;
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
    if (missing) known = remote.need_versions(dependencies, life, versions);
    for (const std::size_t i : places) {
      outcomes[i] = {PutOutcome::not_stored_server, "its tags were invalidated while it was stored"};
    }
  }
}

// --- removing and invalidating

bool Core::erase_shared(const KeyView& key, bool raw) {
  const TimeBudget::Operation budget(time_limit());
  const bool here = store_->erase(key, now());
  Found before;
  const Done done = shared_->remote.remove(key.name, before);
  store_->erase(key, now());  // what was read from there meanwhile
  if (!done) {
    leave_to_upkeep(Pending::Kind::key, key.name);
    return here;
  }
  if (here) return true;
  if (counts_plain(before, raw)) return true;
  if (before.kind != Found::Kind::value) return false;
  return counts(before.view);
}

bool Core::counts(const EnvelopeView& view) {
  std::vector<std::string> names;
  for (const TagVersion& tag : view.tags) names.emplace_back(tag.name);
  Versions versions;
  shared_->remote.read({}, names, versions);
  return judge(view, versions, shared_->remote.clock().to_server(now()), nullptr).freshness != Freshness::miss;
}

std::size_t Core::erase_matching_shared(std::string_view pattern) {
  const Glob glob(pattern);
  const auto matches = [&](std::string_view name) { return glob.matches(name); };
  std::size_t local = 0;
  const std::size_t here = store_->erase_matching(matches, now(), &local);
  std::size_t there = 0;
  const Done done = sweep(pattern, &there);
  std::size_t local_again = 0;
  store_->erase_matching(matches, now(), &local_again);
  if (!done) {
    leave_to_upkeep(Pending::Kind::pattern, pattern);
    return std::max(here, there + local);
  }
  return there + local + local_again;
}

Done Core::sweep(std::string_view pattern, std::size_t* counted) {
  Remote& remote = shared_->remote;
  Versions versions;
  const std::int64_t server_now = remote.clock().to_server(now());
  return remote.remove_matching(pattern, [&](std::span<const Remote::Removed> removed) {
    if (!counted) return;
    std::vector<EnvelopeView> values;
    std::vector<std::string> names;
    for (const auto& [name, head] : removed) {
      if (const auto value = peek_envelope(head, remote.keys().entry(name))) {
        values.push_back(*value);
        for (const TagVersion& tag : value->tags) names.emplace_back(tag.name);
      } else if (!looks_like_envelope(head)) {
        ++*counted;  // a counter, or a raw value
      }
    }
    if (values.empty() || !remote.read({}, names, versions)) return;
    for (const EnvelopeView& value : values) {
      if (judge(value, versions, server_now, nullptr).freshness != Freshness::miss) ++*counted;
    }
  });
}

void Core::invalidate_shared(std::string_view dependency, bool hard) {
  const TimeBudget::Operation budget(time_limit());
  if (shared_->remote.raise(dependency, hard)) return;
  leave_to_upkeep(hard ? Pending::Kind::remove : Pending::Kind::expire, dependency);
}

void Core::flush_shared() {
  const Done done = shared_->remote.raise_epoch();
  shared_->remote.versions().forget_all();
  if (done && shared_->remote.remove_old()) return;
  leave_to_upkeep(Pending::Kind::flush_all, {});
}

// --- what was not confirmed

void Core::leave_to_upkeep(Pending::Kind kind, std::string_view name) {
  if (closed()) return;
  shared_->pending.add(kind, name);
  shared_->upkeep->poke();
}

TimePoint Core::keep_up() {
  constexpr std::chrono::milliseconds kPause{50};
  const TimePoint time = std::chrono::steady_clock::now();
  TimePoint next = TimePoint::max();
  Remote& remote = shared_->remote;
  if (shared_->pending.any()) {
    if (remote.link().up()) confirm_pending();
    if (shared_->pending.any()) next = std::chrono::steady_clock::now() + kPause;
  }
  if (const TimePoint blind_until = shared_->blind_until.load(); blind_until <= time) {
    shared_->blind_until = TimePoint::max();
    store_->close(true);
  } else {
    next = std::min(next, blind_until);
  }
  std::vector<Remote::Replace> renewals;
  const auto due = shared_->leases.due(time, next);
  for (const auto& lease : due) {
    renewals.push_back({.key = lease.key,
                        .if_mark = {lease.token.data(), lease.token.size()},
                        .action = Remote::Action::keep,
                        .life = HeldLeases::kLife});
  }
  if (!renewals.empty()) remote.replace(renewals);
  return next;
}

void Core::confirm_pending() {
  Remote& remote = shared_->remote;
  std::vector<Pending::Intent> keys;
  for (Pending::Intent& intent : shared_->pending.all()) {
    const std::string_view name = intent.name;
    switch (intent.kind) {
      case Pending::Kind::key:
        keys.push_back(std::move(intent));
        continue;
      case Pending::Kind::pattern:
        if (!sweep(name, nullptr)) return;
        break;
      case Pending::Kind::remove:
      case Pending::Kind::expire:
        if (!remote.raise(name, intent.kind == Pending::Kind::remove)) return;
        break;
      case Pending::Kind::epoch:
        if (!remote.raise_epoch()) return;
        remote.versions().forget_all();
        break;
      case Pending::Kind::flush_all:
        if (!remote.raise_epoch()) return;
        remote.versions().forget_all();
        if (!remote.remove_old()) return;
        break;
    }
    shared_->pending.confirm(intent);
  }
  constexpr std::size_t kBatch = 500;
  for (std::size_t at = 0; at < keys.size(); at += kBatch) {
    const std::size_t end = std::min(keys.size(), at + kBatch);
    std::vector<std::string_view> names;
    for (std::size_t i = at; i < end; ++i) names.push_back(keys[i].name);
    if (!remote.remove_many(names)) return;
    for (std::size_t i = at; i < end; ++i) shared_->pending.confirm(keys[i]);
  }
}

// --- counters

std::optional<std::int64_t> Core::increment_shared(const KeyView& key, std::int64_t delta, Duration ttl) {
  const TimeBudget::Operation budget(time_limit());
  if (shared_->pending.concerns_key(key.name)) return std::nullopt;
  const Duration life = ttl == forever ? Duration::zero() : ttl;
  for (int attempt = 0; attempt < 64; ++attempt) {
    const auto counted = shared_->remote.increment(key.name, delta, life);
    switch (counted.refused) {
      case Remote::Counted::Refused::overflow:
        std::rethrow_exception(leaves_range(key));
      case Remote::Counted::Refused::other_type:
        std::rethrow_exception(no_integer(key));
      case Remote::Counted::Refused::no_integer: {
        bool changed = false;
        const auto sum = increment_entry(key, delta, ttl, changed);
        if (changed) continue;
        return sum;
      }
      case Remote::Counted::Refused::no:
        break;
    }
    if (counted.done.status == Done::unknown) shared_->unknown.fetch_add(1, std::memory_order_relaxed);
    if (!counted.done) return std::nullopt;
    store_->erase(key, now());
    return counted.value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> Core::increment_entry(const KeyView& key, std::int64_t delta, Duration ttl, bool& changed) {
  Remote& remote = shared_->remote;
  RemoteQuery query{key.name};
  Versions versions;
  if (!remote.read(std::span(&query, 1), {}, versions)) return std::nullopt;
  const Found& found = query.found;
  if (found.kind == Found::Kind::nothing) {
    changed = true;
    return std::nullopt;
  }
  if (found.of_other_type) std::rethrow_exception(no_integer(key));
  std::vector<Remote::Replace> replace(1);
  replace[0].key = remote.keys().entry(key.name);
  replace[0].if_mark = found.mark();
  const TimePoint time = now();
  const bool fresh = found.kind == Found::Kind::value && [&] {
    const auto freshness = judge(found.view, versions, remote.clock().to_server(time), nullptr).freshness;
    return freshness == Freshness::fresh || freshness == Freshness::due;
  }();
  std::int64_t sum = 0;
  if (!fresh) {  // a lease, or what no longer counts: a counter takes its place
    if (found.kind == Found::Kind::other && found.refusal == Refusal::not_an_envelope)
      std::rethrow_exception(no_integer(key));
    sum = delta;
    replace[0].bytes = std::to_string(sum);
    if (ttl != forever) replace[0].life = ttl;
  } else {
    const auto held = decode_integer(found.view);
    if (!held) std::rethrow_exception(no_integer(key));
    if (__builtin_add_overflow(*held, delta, &sum)) std::rethrow_exception(leaves_range(key));
    Envelope envelope;
    envelope.terms = found.view.terms;
    envelope.terms.codec = codec_fingerprint(kTypeOps<std::int64_t>.codec);
    envelope.terms.uncompressed_size = 0;
    std::vector<std::uint64_t> epochs;
    for (std::size_t i = 0; i < found.view.epochs.size(); ++i) epochs.push_back(found.view.epochs[i]);
    std::vector<TagVersion> tags;
    for (const TagVersion& tag : found.view.tags) tags.push_back(tag);
    const std::string payload = std::to_string(sum);
    envelope.epochs = epochs;
    envelope.tags = tags;
    envelope.etag = found.view.etag;
    envelope.key = replace[0].key;
    envelope.payload = payload;
    replace[0].bytes = encode(envelope);
    replace[0].life = physical_life(remote.clock().to_local(found.view.terms.stale_until));
  }
  const Done done = remote.replace(replace)[0];
  store_->erase(key, now());
  if (done) return sum;
  changed = done.status == Done::no && done.why.empty();
  return std::nullopt;
}

std::optional<std::int64_t> Core::decode_integer(const EnvelopeView& view) {
  static constexpr const TypeOps* kIntegers[] = {
      &kTypeOps<std::int64_t>,  &kTypeOps<std::int32_t>,  &kTypeOps<std::int16_t>,  &kTypeOps<std::int8_t>,
      &kTypeOps<std::uint64_t>, &kTypeOps<std::uint32_t>, &kTypeOps<std::uint16_t>, &kTypeOps<std::uint8_t>};
  for (const TypeOps* type : kIntegers) {
    if (codec_fingerprint(type->codec) != view.terms.codec) continue;
    return codec<std::int64_t>::decode(view.payload);
  }
  return std::nullopt;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
