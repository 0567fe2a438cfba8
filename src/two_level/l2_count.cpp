/// Counters at L2: the server's own integers, and entries that hold one.

#include <string>
#include <variant>

#include <dsta/cache/key.hpp>

#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "entry/integer_errors.hpp"
#include "l1/store.hpp"
#include "l2/values/compression.hpp"
#include "two_level/l2_cache.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

std::optional<std::int64_t> decode_integer(const EnvelopeView& view) {
  static constexpr const TypeOps* kIntegers[] = {
      &kTypeOps<std::int64_t>,  &kTypeOps<std::int32_t>,  &kTypeOps<std::int16_t>,  &kTypeOps<std::int8_t>,
      &kTypeOps<std::uint64_t>, &kTypeOps<std::uint32_t>, &kTypeOps<std::uint16_t>, &kTypeOps<std::uint8_t>};
  for (const TypeOps* type : kIntegers) {
    if (codec_fingerprint(type->codec) != view.terms.codec) continue;
    if (view.terms.uncompressed_size == 0) return codec<std::int64_t>::decode(view.payload);
    constexpr std::size_t kLongest = 32;
    const auto bytes = decompress(view.payload, view.terms.uncompressed_size, kLongest);
    const auto* const text = std::get_if<std::string>(&bytes);
    return text ? codec<std::int64_t>::decode(*text) : std::nullopt;
  }
  return std::nullopt;
}

/// The same entry with another integer as its value.
std::string with_integer(const EnvelopeView& view, std::string_view key, std::int64_t value) {
  Envelope envelope;
  envelope.generation = new_lease_token();
  envelope.terms = view.terms;
  envelope.terms.codec = codec_fingerprint(kTypeOps<std::int64_t>.codec);
  envelope.terms.uncompressed_size = 0;
  std::vector<std::uint64_t> epochs;
  for (std::size_t i = 0; i < view.epochs.size(); ++i) epochs.push_back(view.epochs[i]);
  std::vector<TagVersion> tags;
  for (const TagVersion& tag : view.tags) tags.push_back(tag);
  const std::string payload = std::to_string(value);
  envelope.epochs = epochs;
  envelope.tags = tags;
  envelope.etag = view.etag;
  envelope.key = key;
  envelope.payload = payload;
  return encode(envelope);
}

}  // namespace

std::optional<std::int64_t> L2Cache::increment(const KeyView& key, std::int64_t delta, Duration ttl) {
  const TimeBudget::Operation budget(context_.time_limit());
  const Pending::Mark before = pending().mark();
  if (pending().concerns_plain() || pending().concerns_key(key.name)) return std::nullopt;
  const Duration life = ttl == forever ? Duration::zero() : ttl;
  for (int attempt = 0; attempt < 64; ++attempt) {
    const auto counted = l2_store().writer().increment(key.name, delta, life);
    switch (counted.refused) {
      case EntryWriter::Counted::Refused::overflow:
        std::rethrow_exception(leaves_range(key));
      case EntryWriter::Counted::Refused::other_type:
        std::rethrow_exception(no_integer(key));
      case EntryWriter::Counted::Refused::no_integer: {
        bool changed = false;
        const auto sum = increment_entry(key, delta, ttl, changed);
        if (changed) continue;
        return sum;
      }
      case EntryWriter::Counted::Refused::no:
        break;
    }
    if (counted.done.status == Done::unknown) counters_.add_unknown_write();
    if (!counted.done) return std::nullopt;
    context_.store.erase(key, context_.now());
    const bool concerned = pending().concerns_plain() || pending().concerns_key(key.name);
    if (concerned && pending().new_server_since(before)) return std::nullopt;
    return counted.value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> L2Cache::increment_entry(const KeyView& key, std::int64_t delta, Duration ttl,
                                                     bool& changed) {
  EntryQuery query{key.name};
  Versions versions;
  const Pending::Mark before = pending().mark();
  if (!l2_store().reader().read(std::span(&query, 1), {}, versions, false, true)) return std::nullopt;
  const Found& found = query.found;
  if (found.kind == Found::Kind::nothing) {
    changed = true;
    return std::nullopt;
  }
  if (found.of_other_type) std::rethrow_exception(no_integer(key));
  std::vector<LeaseStore::Replace> replace(1);
  replace[0].key = l2_store().keys().entry(key.name);
  const std::string mark = found.mark();
  replace[0].claim.mark = mark;
  const std::int64_t server_now = l2_store().clock().to_server(context_.now());
  const bool fresh = found.kind == Found::Kind::value && !concerned(found.view, key.name, before) &&
                     is_within_ttl(evaluate(found.view, versions, nullptr, server_now));
  std::int64_t sum = 0;
  if (!fresh) {  // a lease, or what does not count: a counter takes its place
    if (found.kind == Found::Kind::other && found.decode_error == DecodeError::not_an_envelope)
      std::rethrow_exception(no_integer(key));
    sum = delta;
    replace[0].bytes = std::to_string(sum);
    if (ttl != forever) replace[0].life = ttl;
  } else {
    const auto held = decode_integer(found.view);
    if (!held) std::rethrow_exception(no_integer(key));
    if (__builtin_add_overflow(*held, delta, &sum)) std::rethrow_exception(leaves_range(key));
    replace[0].bytes = with_integer(found.view, replace[0].key, sum);
    replace[0].life = physical_life(l2_store().clock().to_local(found.view.terms.stale_until));
  }
  const Done done = l2_store().leases().replace(replace)[0];
  context_.store.erase(key, context_.now());
  if (done) return sum;
  if (done.status == Done::unknown) {
    counters_.add_unknown_write();
    if (l2_store().announces()) confirmations().add(Pending::Kind::key, key.name);
  }
  changed = done.status == Done::no && done.why.empty();
  return std::nullopt;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
