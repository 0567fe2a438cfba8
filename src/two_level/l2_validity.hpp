#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <dsta/cache/detail/load.hpp>

#include "entry/validity.hpp"
#include "l2/values/l2_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The facts about an entry of L2, for evaluate(): its times are the server's. `reader` is the wrapped function that
/// asks, null or no function for manual calls.
///
/// An entry depends on versions. It is removed when one that it noted is gone, or is not in `versions`, and expired
/// when one has expired.
Validity<std::int64_t> validity_of(const EnvelopeView& view, const Versions& versions, const Identity* reader);
inline Freshness evaluate(const EnvelopeView& view, const Versions& versions, const Identity* reader,
                          std::int64_t server_now) {
  return evaluate(validity_of(view, versions, reader), server_now);
}
/// True when an entry of these tags has all of `names`, or was not stored by a function: what a manual call stored has
/// the tags that it was given.
bool carries_all(const TagList& tags, const std::vector<std::string>& names);
/// Whether bytes without an envelope count: a counter, or what the caller says is a raw value.
bool counts_plain(const Found& found, bool raw);
/// A counter is plain decimal digits, from which an integer may be read.
inline bool may_be_counter(const TypeOps& type) { return type.fits != nullptr; }
/// The type in which counters are usually read.
bool expects_counter(const TypeOps& type);
/// What an entry of the function (null: none) with these tags depends on.
std::vector<std::string> dependencies_of(const Identity* identity, const std::vector<std::string>& tags);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
