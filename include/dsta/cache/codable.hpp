#pragma once
/// What makes a type one that has a codec: see codec.hpp.
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <dsta/cache/fwd.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Opt-in for trivially copyable types without pointers and without padding that matters. They are stored as their
/// bytes, so only processes with the same layout can share them. Give the type a name, and change it when the layout
/// changes:
///     template <> inline constexpr std::string_view dsta::cache::trivially_codable<Tick> = "tick/1";
/// Stored bytes are identified by name, size and alignment. A `bool` that is true opts in without a name. Then another
/// such type of that size and alignment, or an older layout of this one, would be mistaken for it at L2. In one process
/// values are always identified by their type. To have the layout watched instead, name the fields: fields.hpp.
/// Default: false.
template <class T>
inline constexpr bool trivially_codable = false;

namespace detail {
/// std::convertible_to, without the cost of it where the types are the same.
template <class From, class To>
concept ConvertsTo = std::same_as<std::remove_cvref_t<From>, To> || std::convertible_to<From, To>;
}  // namespace detail

/// True when a codec for T exists.
template <class T>
concept Codable = requires(const T& value, std::string& out, std::string_view bytes) {
  { codec<T>::name } -> detail::ConvertsTo<std::string_view>;
  codec<T>::encode(value, out);
  { codec<T>::decode(bytes) } -> detail::ConvertsTo<std::optional<T>>;
};

}  // namespace v1
}  // namespace dsta::cache
