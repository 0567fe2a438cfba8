#pragma once
/// How a value becomes bytes for L2, and back. Built in: numbers, bool, enums, std::string, standard containers, pairs,
/// tuples, optionals, variants, std::shared_ptr<const T>, durations, points in time and dates, nested in any way;
/// structs whose fields are named (fields.hpp); types that opt in with `trivially_codable`. Opt-in headers: pfr.hpp for
/// aggregates, message.hpp for protobuf messages, json.hpp for types that nlohmann::json converts. docs/codecs.md says
/// which codec a type has. For any other type specialise `codec`:
///
///     template <>
///     struct dsta::cache::codec<Quote> {
///       static constexpr std::string_view name = "quote/1";             // change it when the layout changes
///       static void encode(const Quote& value, std::string& out);       // appends to out
///       static std::optional<Quote> decode(std::string_view bytes);     // nullopt: these bytes are no Quote
///     };
///
/// Both functions are called from several threads at once. `encode` should not throw. docs/formats.md lists the names
/// and formats of the built-in codecs.
#include <dsta/cache/codable.hpp>
#include <dsta/cache/detail/builtin_codecs.hpp>
