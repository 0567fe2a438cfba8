#pragma once
/// How json.hpp writes values of a type, and whether it writes them at all where the library has a codec of its own.
/// Beside the type, so that every file that caches it says the same:
///     template <> inline constexpr auto dsta::cache::json_format<Book> = dsta::cache::JsonFormat::cbor;
/// Standard containers, pairs, tuples and arrays of types with a binary codec are binary; one that must stay JSON,
/// because other programs read it (`raw`), says so likewise:
///     template <>
///     inline constexpr auto dsta::cache::json_format<std::vector<double>> = dsta::cache::JsonFormat::text;

namespace dsta::cache {
inline namespace v1 {

/// How JSON is written: as text, or in one of two binary formats that are smaller and faster.
enum class JsonFormat { text, cbor, msgpack };

namespace detail {
/// Nothing was said: text for types that are written as JSON.
struct DefaultJsonFormat {
  constexpr operator JsonFormat() const { return JsonFormat::text; }
};
}  // namespace detail

/// How values of T are written as JSON; default: text. Smaller and faster than text: cbor, msgpack.
template <class T>
inline constexpr detail::DefaultJsonFormat json_format{};

}  // namespace v1
}  // namespace dsta::cache
