#pragma once
/// The codec for types that nlohmann::json converts and that have no other: those with to_json/from_json (as
/// NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE makes them), containers of them, nlohmann::json itself, and types for which
/// json_format is specialised. Opt-in: needs nlohmann_json 3.10.
///
/// Values are text JSON unless a type chooses otherwise; values with NaN or an infinity, which text cannot express, are
/// CBOR in any case:
///     template <> inline constexpr auto dsta::cache::json_format<Book> = dsta::cache::JsonFormat::cbor;
///
/// Encoding throws ValueError for JSON that is nested too deeply or holds text that is not UTF-8. Decoding never
/// throws: bytes that are truncated, malformed, nested too deeply, of another shape than T, or with numbers, texts or
/// elements that a T cannot hold exactly, are a miss. docs/formats.md has the rules.
#include <concepts>
#include <nlohmann/json_fwd.hpp>

#include <dsta/cache/json_format.hpp>
#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {

/// A value that was read is written again and compared with the JSON, so that what a T cannot hold is a miss instead of
/// another value. A type whose to_json does not write what its from_json read would always be a miss: set this to
/// false, and nothing is compared. Default: true.
///     template <> inline constexpr bool dsta::cache::json_round_trips<Stamped> = false;
template <class T>
inline constexpr bool json_round_trips = true;

/// Deepest JSON that is accepted, in levels. nlohmann::json copies and parses by recursion, so deeper input could
/// overflow the stack.
inline constexpr int kMaxJsonDepth = 64;

/// JSON as an argument of a wrapped function: its text, with object keys sorted; CBOR where text cannot express it.
/// Throws ValueError for JSON that is nested too deeply.
template <std::same_as<nlohmann::json> Json>
void append_key(KeyWriter& key, const Json& value);

}  // namespace v1
}  // namespace dsta::cache

#include <dsta/cache/detail/json_codec.hpp>
