/// Reading L2: what counts there, and how it becomes an entry of this process.
#include <fmt/format.h>

#include <algorithm>

#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "entry/expiry.hpp"
#include "entry/identities.hpp"
#include "entry/tags.hpp"
#include "l1/store.hpp"
#include "l2/values/compression.hpp"
#include "two_level/l2_cache.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
/// Stands for the function of an entry that L1 hands to manual calls only.
const Identity& manual_calls_only() {
  static const Identity one{.name = "(manual calls only)"};
  return one;
}
}  // namespace

NodeRef L2Cache::decode(const KeyView& key, const TypeOps& type, std::string_view payload) const {
  try {
    NodeRef node = type.decode(key, payload);
    if (node) node->type = &type;
    return node;
  } catch (...) {  // the user's codec: these bytes are no value to it
    return {};
  }
}

NodeRef L2Cache::unpack_integer(const KeyView& key, const TypeOps& type, const Found& found, bool expired,
                                std::uint64_t sequence, const Identity* reader) const {
  NodeRef node;
  if (may_be_counter(type)) {
    node = unpack_as(kTypeOps<std::int64_t>.codec, key, type, found, expired, sequence, reader);
  }
  if (node) node->shared = false;
  return node;
}

NodeRef L2Cache::unpack(const KeyView& key, const TypeOps& type, const Found& found, bool expired,
                        std::uint64_t sequence, const Identity* reader) const {
  return unpack_as(type.codec, key, type, found, expired, sequence, reader);
}

NodeRef L2Cache::unpack_as(std::string_view codec, const KeyView& key, const TypeOps& type, const Found& found,
                           bool expired, std::uint64_t sequence, const Identity* reader) const {
  const EnvelopeView& view = found.view;
  if (view.terms.codec != codec_fingerprint(codec)) return {};
  std::string uncompressed;
  std::string_view payload = view.payload;
  if (view.terms.uncompressed_size != 0) {
    auto bytes = decompress(payload, view.terms.uncompressed_size, context_.options.pool.max_reply_bytes);
    if (!std::holds_alternative<std::string>(bytes)) return {};
    uncompressed = std::get<std::string>(std::move(bytes));
    payload = uncompressed;
  }
  NodeRef node = decode(key, type, payload);
  if (!node) return {};
  const ServerClock& clock = l2_store().clock();
  node->shared = true;
  node->sequence = sequence;
  node->created = clock.to_local(view.terms.created);
  node->stale_until = clock.to_local(view.terms.stale_until);
  node->fresh_until = clock.to_local(view.terms.fresh_until);
  if (expired) node->fresh_until = std::min(node->fresh_until, context_.now());
  node->refresh_at = std::min(node->fresh_until, clock.to_local(view.terms.refresh_after));
  std::vector<std::string> tags;
  const bool of_function = reader && reader->function;
  for (const TagVersion& tag : view.tags) {
    // A function invalidates its own entries by its record. What a manual call reads of a function is invalidated by
    // the dependency, and L1 hands it to no function: nobody has compared its tags with those that the function names.
    if (tag.name.starts_with(kFunctionMark)) {
      node->identity = of_function ? context_.identities.find(tag.name.substr(1)) : IdentityRef(&manual_calls_only());
    }
    if (!tag.name.starts_with(kFunctionMark) || !of_function) tags.emplace_back(tag.name);
  }
  attach_metadata(*node, context_.tags.find(tags), std::string(view.etag), {});
  return node;
}

namespace {

/// Values on their way from L2 to L1, one for each query (case 3 of flight.hpp). Those that have not landed at the end
/// land empty.
class Fills {
 public:
  explicit Fills(Store& store) : store_(store) {}
  ~Fills() {
    for (const auto& flight : flights_) {
      if (flight) store_.land(*flight, {}, TimePoint{});
    }
  }
  Fills(const Fills&) = delete;
  Fills& operator=(const Fills&) = delete;

  void begin(const KeyView& key, const TypeOps& type, std::uint64_t sequence) {
    LoadSpec spec;
    spec.type = &type;
    auto flight = std::make_shared<Flight>(key, spec, std::vector<std::string>(), sequence);
    flight->kind = FlightKind::fill;
    flights_.push_back(std::move(flight));
    store_.begin(flights_.back());
  }
  void drop_last(TimePoint now) {
    store_.land(*flights_.back(), {}, now);
    flights_.pop_back();
  }
  void land(std::size_t index, Store::Landing landing, TimePoint now) {
    const auto flight = std::move(flights_[index]);
    store_.land(*flight, std::move(landing), now);
  }

 private:
  Store& store_;
  std::vector<std::shared_ptr<Flight>> flights_;
};

}  // namespace

/// What one read of many items knows, and evaluates each by.
struct L2Cache::Reading {
  std::span<const TypeOps* const> types;
  const Identity* reader;
  const Identity* counted;
  bool raw;
  const Versions& versions;
  bool keeps_found = true;  ///< what was found is wanted beside the value: a load decides by it
  std::int64_t server_now = 0;
  std::uint64_t sequence = 0;  ///< before the request
  Pending::Mark before = {};   ///< Pending's, before it
  bool hides_plain = false;    ///< likewise: counters do not count
};

void L2Cache::read(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
                   const EntryTerms& terms, std::span<const std::string> dependencies, const Identity* counted) {
  const auto kept = std::make_shared<Versions>();
  if (!read(items, types, reader, counted ? counted : reader, terms, dependencies, *kept, true)) return;
  for (Fetched& item : items) {
    if (item.asked) item.versions = kept;
  }
}

bool L2Cache::read(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
                   const Identity* counted, const EntryTerms& terms, std::span<const std::string> dependencies,
                   Versions& versions, bool keeps_found) {
  if (!levels_.used_by(terms)) return false;
  const TimeBudget::Operation budget(context_.time_limit());
  const std::uint64_t sequence_before = context_.sequence();
  const bool fill = coherence().fills(terms);
  std::vector<EntryQuery> queries;
  std::vector<std::size_t> places;
  queries.reserve(items.size());
  places.reserve(items.size());
  Fills flights(context_.store);
  const Pending::Mark before = pending().mark();
  const bool hides_plain = pending().concerns_plain();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (fill) flights.begin(items[i].key, *types[0], sequence_before);
    // In this order, a flight first: the first invariant.
    if ((terms.raw && hides_plain) || pending().concerns_key(items[i].key.name)) {
      if (fill) flights.drop_last(context_.now());
      continue;
    }
    queries.push_back({items[i].key.name});
    places.push_back(i);
  }
  const bool plain =
      terms.raw || std::ranges::any_of(types, [](const TypeOps* type) { return expects_counter(*type); });
  // By another server than was asked first: what it has missed may have been pending and be confirmed by now.
  const bool answered = !queries.empty() && l2_store().reader().read(queries, dependencies, versions, plain, !fill) &&
                        !pending().new_server_since(before);
  const Reading reading{types,
                        reader,
                        counted,
                        terms.raw,
                        versions,
                        keeps_found,
                        l2_store().clock().to_server(context_.now()),
                        sequence_before,
                        before,
                        hides_plain};
  for (std::size_t n = 0; n < queries.size(); ++n) {
    Fetched& item = items[places[n]];
    if (answered && !queries[n].found.unanswered) take_found(item, queries[n].found, reading);
    if (!fill) continue;
    Store::Landing landing;
    if (item.node && item.node->shared) landing.replace_by = item.node;
    context_.probes.at(Probes::Point::before_l1_store, queries[n].name);
    flights.land(n, std::move(landing), context_.now());
  }
  return true;
}

void L2Cache::read(std::span<Fetched> items, std::span<const TypeOps* const> types, const Reach& reach) {
  EntryTerms terms;
  terms.level = !reach.l2 ? Level::l1 : reach.l1 ? Level::both : Level::l2;
  terms.raw = reach.raw;
  Versions versions;
  read(items, types, nullptr, reach.counted, terms, {}, versions, false);
  const auto found = std::ranges::count_if(items, [](const Fetched& item) { return bool(item.node); });
  counters_.add_hits(static_cast<std::uint64_t>(found));
}

void L2Cache::take_found(Fetched& item, Found& found, const Reading& reading) {
  item.asked = true;
  const bool plain = found.kind == Found::Kind::other && found.decode_error == DecodeError::not_an_envelope;
  if (reading.raw || plain) {
    item.nothing = found.kind == Found::Kind::nothing;
    if (plain && !found.of_other_type && !reading.hides_plain) take_plain(item, found, reading);
    return;
  }
  if (found.kind == Found::Kind::other) count_undecoded(decode_error_name(found.decode_error), reading.counted);
  if (found.kind == Found::Kind::value) take_value(item, found, reading);
  if (reading.keeps_found) item.found = std::make_shared<Found>(std::move(found));
}

/// Bytes without an envelope: a raw value, or a counter.
void L2Cache::take_plain(Fetched& item, const Found& found, const Reading& reading) {
  for (const TypeOps* type : reading.types) {
    if (item.node || !(reading.raw || may_be_counter(*type))) continue;
    item.node = decode(item.key, *type, found.bytes);
  }
  if (!item.node) return count_undecoded(reading.raw ? "raw" : "not_an_envelope", reading.counted);
  item.node->created = item.node->refresh_at = item.node->fresh_until = item.node->stale_until = context_.now();
  item.freshness = Freshness::fresh;
}

void L2Cache::take_value(Fetched& item, const Found& found, const Reading& reading) {
  const auto validity = validity_of(found.view, reading.versions, reading.reader);
  item.freshness = evaluate(validity, reading.server_now);
  if (concerned(found.view, item.key.name, reading.before)) item.freshness = Freshness::miss;
  // Stored by a release whose function did not name the tag: its invalidation would not reach the entry.
  if (item.tags && !carries_all(found.view.tags, *item.tags)) item.freshness = Freshness::miss;
  if (item.freshness == Freshness::miss) return;
  for (const TypeOps* type : reading.types) {
    item.node = unpack(item.key, *type, found, validity.expired, reading.sequence, reading.reader);
    if (item.node) return;
  }
  item.node = unpack_integer(item.key, *reading.types[0], found, validity.expired, reading.sequence, reading.reader);
  if (item.node) return;
  const auto has_codec = [&](const TypeOps* type) { return found.view.terms.codec == codec_fingerprint(type->codec); };
  if (std::ranges::any_of(reading.types, has_codec)) count_undecoded("payload", reading.counted);
  item.freshness = Freshness::miss;
}

void L2Cache::count_undecoded(std::string_view why, const Identity* counted) {
  (counted ? *counted : context_.identities.manual({})).counters.add(Count::codec_errors);
  if (undecoded_.first(why)) {
    context_.log(LogLevel::warning,
                 fmt::format("an entry at L2 could not be decoded ({}): such entries are misses (logged once)", why));
  }
}

bool L2Cache::concerned(const EnvelopeView& view, std::string_view key, const Pending::Mark& before) const {
  if (pending().concerns_key(key)) return true;
  for (const TagVersion& tag : view.tags) {
    if (pending().concerns_dependency(tag.name)) return true;
  }
  // Asked last: one that is confirmed in between is counted before it goes from there.
  return pending().new_server_since(before) || (!view.tags.empty() && pending().confirmed_since(before));
}

std::optional<Duration> L2Cache::time_left(const KeyView& key, bool raw) {
  const TimeBudget::Operation budget(context_.time_limit());
  const Pending::Mark before = pending().mark();
  const bool hides_plain = pending().concerns_plain();
  if (pending().concerns_key(key.name)) return std::nullopt;
  EntryQuery query{key.name};
  Versions versions;
  if (!l2_store().reader().read(std::span(&query, 1), {}, versions, false, true)) return std::nullopt;
  if (pending().new_server_since(before)) return std::nullopt;
  const Found& found = query.found;
  if (counts_plain(found, raw)) {
    if (hides_plain) return std::nullopt;
    const auto left = l2_store().reader().life_left(key.name);
    if (!left || *left == -2) return std::nullopt;
    // The server keeps longer times than nanoseconds can say.
    return *left < 0 ? forever : saturate(std::chrono::milliseconds(*left));
  }
  if (found.kind != Found::Kind::value) return std::nullopt;
  if (concerned(found.view, key.name, before)) return std::nullopt;
  const TimePoint time = context_.now();
  const Freshness freshness = evaluate(found.view, versions, nullptr, l2_store().clock().to_server(time));
  if (freshness == Freshness::miss) return std::nullopt;
  if (freshness == Freshness::stale) return Duration::zero();
  const TimePoint until = l2_store().clock().to_local(found.view.terms.fresh_until);
  if (until == TimePoint::max()) return forever;
  // The server's time is known to within a round trip: never longer than what was given.
  const TimePoint from = std::max(time, l2_store().clock().to_local(found.view.terms.created));
  return std::max(Duration::zero(), Duration(until - from));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
