#pragma once
/// Codec for messages that write and read themselves: those of protobuf, and any class with SerializeToString and
/// ParseFromArray or ParseFromString. Needs no library.
///
/// A message is named by its C++ type, `message:trading::Quote`, so that no other message is read as it. Its fields are
/// its own affair: protobuf reads what earlier and later releases wrote. To drop what is stored, and for templates and
/// types of anonymous namespaces, whose names differ between compilers, name it:
///     template <> inline constexpr std::string_view dsta::cache::message_name<Quote> = "quote/2";
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/detail/shape.hpp>
#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {

/// What T is called in its codec's name; empty: its C++ type.
template <class T>
inline constexpr std::string_view message_name = {};

namespace detail {

/// Returns auto: see member_name.
template <class T>
consteval auto type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  text.remove_suffix(1);
  return text;
}

template <class T>
struct MessageName {
  static constexpr void write(ShapeText& out) {
    out.put("message:");
    out.put(message_name<T>.empty() ? type_name<T>() : message_name<T>);
  }
};

template <class T>
concept MessageCodable =
    MessageLike<T> && std::default_initializable<T> && !Described<T> && !PrefersJson<T> && !is_builtin<T>;

}  // namespace detail

/// Messages, as what they write themselves.
template <detail::MessageCodable T>
struct codec<T> {
  /// `message:` and message_name<T>, by default the C++ type.
  static constexpr std::string_view name = detail::ShapeConstant<detail::MessageName<T>>::text;

  /// Throws ValueError for a message that does not serialize itself, such as one that lacks a required field.
  static void encode(const T& value, std::string& out) {
    std::string bytes;
    if (!value.SerializeToString(&bytes)) {
      throw ValueError("a message of type " + std::string(detail::type_name<T>()) + " cannot be serialized");
    }
    out += bytes;
  }

  /// nullopt for bytes that the message does not read.
  static std::optional<T> decode(std::string_view bytes) {
    std::optional<T> value(std::in_place);
    if constexpr (requires { value->ParseFromArray(static_cast<const void*>(bytes.data()), 0); }) {
      if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return std::nullopt;
      if (!value->ParseFromArray(static_cast<const void*>(bytes.data()), static_cast<int>(bytes.size()))) value.reset();
    } else {
      if (!value->ParseFromString(std::string(bytes))) value.reset();
    }
    return value;
  }
};

}  // namespace v1
}  // namespace dsta::cache
