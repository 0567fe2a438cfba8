#pragma once
/// Which of the library's codecs a type is for. No header that is opted in to changes an answer, so a type has one
/// codec in all files of a program.
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <dsta/cache/codable.hpp>
#include <dsta/cache/fields.hpp>
#include <dsta/cache/fwd.hpp>
#include <dsta/cache/in_process_only.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace detail {

/// What the cache can keep: by a codec, or in this process alone.
template <class T>
concept Cacheable = stays_in_process<T> || Codable<T>;

/// Base of the codecs that the library has for types that no opt-in header names: all others are a user's, and come
/// first wherever values of the type are stored, also inside others.
template <class T>
struct LibraryCodec {};

template <class T>
concept UserCodec = requires {
  sizeof(codec<T>);
}
&&!std::is_base_of_v<LibraryCodec<T>, codec<T>>;

/// Not the 128-bit integers and floats that some compilers count among the numbers: they would be cut, or be named as
/// another type.
template <class T>
concept Number = ((std::integral<T> && sizeof(T) <= 8) || std::same_as<T, float> || std::same_as<T, double> ||
                  std::same_as<T, long double>)&&!std::same_as<T, bool>;

/// What an opt-in to trivially_codable names the type; empty when it does not.
template <class T>
constexpr std::string_view trivial_name() {
  if constexpr (std::convertible_to<decltype(trivially_codable<T>), std::string_view>) return trivially_codable<T>;
  return {};
}

template <class T>
concept TriviallyCodable = !Described<T> && (std::convertible_to<decltype(trivially_codable<T>), std::string_view> ||
                                             bool(trivially_codable<T>));

template <class T>
concept Byte = std::same_as<T, std::byte> || std::same_as<T, unsigned char>;

/// Writes and reads itself, as messages of protobuf do: message.hpp has the codec, and no other header may take its
/// place.
template <class T>
concept MessageLike = std::is_class_v<T> && requires(const T& value, std::string* bytes) {
  { value.SerializeToString(bytes) } -> std::convertible_to<bool>;
} &&(
    requires(T& out) {
      { out.ParseFromArray(static_cast<const void*>(nullptr), 0) } -> std::convertible_to<bool>;
    } ||
    requires(T & out, const std::string& bytes) {
      { out.ParseFromString(bytes) } -> std::convertible_to<bool>;
    });

/// The types that codec.hpp itself serves; json.hpp leaves them alone.
template <class>
inline constexpr bool is_builtin = false;
template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T> || std::same_as<T, std::string> || TriviallyCodable<T>
inline constexpr bool is_builtin<T> = true;
template <Byte B>
inline constexpr bool is_builtin<std::vector<B>> = true;
template <class T>
inline constexpr bool is_builtin<std::optional<T>> = true;
template <class T>
inline constexpr bool is_builtin<std::shared_ptr<T>> = true;

template <class T>
constexpr std::string_view number_name() {
  constexpr std::string_view kSigned[] = {"i8", "i16", "i32", "i64"}, kUnsigned[] = {"u8", "u16", "u32", "u64"};
  constexpr int kIndex = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
  if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? "f32" : sizeof(T) == 8 ? "f64" : "f80";
  return std::is_signed_v<T> ? kSigned[kIndex] : kUnsigned[kIndex];
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
