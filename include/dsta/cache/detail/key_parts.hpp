#pragma once
/// How the arguments of calls become parts of keys: see key.hpp.
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <ratio>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/detail/key_buffer.hpp>
#include <dsta/cache/detail/std_types.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace detail {

template <class T>
void append_part(KeyBuffer& out, const T& value);

template <class T>
concept HasAppendKey = requires(KeyWriter& writer, const T& value) {
  append_key(writer, value);
};

/// Competes with the append_key of a type: loses against one for the type itself, wins over one that the type must be
/// converted for.
namespace own_key {
struct None {};
template <class T>
None append_key(KeyWriter& writer, const T& value);
template <class T>
concept Missing = requires(KeyWriter& writer, const T& value) {
  { append_key(writer, value) } -> std::same_as<None>;
};
}  // namespace own_key
/// The append_key that a T has is a base's, or of what it converts to. It does not know what makes two Ts unequal.
template <class T>
concept BorrowsAppendKey = HasAppendKey<T> && own_key::Missing<T>;

/// A text with more members than the text.
template <class T>
concept ExtendsText = (std::is_base_of_v<std::string, T> && sizeof(T) > sizeof(std::string)) ||
                      (std::is_base_of_v<std::string_view, T> && sizeof(T) > sizeof(std::string_view));

template <class T>
concept TextLike = std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;

template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
}
&&!std::ranges::range<T>;

/// Such as std::filesystem::path, whose parts are paths: walking its parts would never end.
template <class T>
concept RangeOfItself = std::ranges::input_range<const T> && std::same_as<std::ranges::range_value_t<const T>, T>;

template <class T>
concept UnorderedRange = requires {
  typename T::hasher;
};

template <class T>
concept AssociativeRange = requires {
  typename T::key_compare;
};

template <class T>
concept PointerLike = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::same_as<T, std::nullptr_t> ||
    requires(const T& p) {
  p.get();
  typename T::element_type;
};

/// Appends text with its escapes.
void append_text(KeyBuffer& out, std::string_view text);
/// Appends the parts in their order, each with a comma behind it.
void append_sorted(KeyBuffer& out, std::vector<std::string>& parts);

template <class Number>
void append_floating(KeyBuffer& out, Number number) {
  if (std::isnan(number)) return out.append("nan");  // every NaN alike: one entry, not one per payload
  out.append_number(number == Number{0} ? Number{0} : number);
}

template <class Period>
void append_unit(KeyBuffer& out) {
  if constexpr (std::same_as<Period, std::nano>) {
    out.append("ns");
  } else if constexpr (std::same_as<Period, std::micro>) {
    out.append("us");
  } else if constexpr (std::same_as<Period, std::milli>) {
    out.append("ms");
  } else if constexpr (std::same_as<Period, std::ratio<1>>) {
    out.append("s");
  } else if constexpr (std::same_as<Period, std::ratio<60>>) {
    out.append("min");
  } else if constexpr (std::same_as<Period, std::ratio<3600>>) {
    out.append("h");
  } else if constexpr (std::same_as<Period, std::ratio<86400>>) {
    out.append("d");
  } else {
    out.push('x');
    out.append_number(Period::num);
    out.push('/');
    out.append_number(Period::den);
  }
}

template <class T>
void append_range(KeyBuffer& out, const T& range) {
  using Element = std::ranges::range_value_t<const T>;
  out.push('(');
  if constexpr (UnorderedRange<T>) {
    std::vector<std::string> parts;
    for (const auto& element : range) {
      KeyBuffer part;
      append_part<Element>(part, element);
      parts.emplace_back(part.view());
    }
    append_sorted(out, parts);
  } else {
    for (auto&& element : range) append_part<Element>(out, element), out.push(',');
  }
  out.push(')');
}

template <class T>
void append_part(KeyBuffer& out, const T& value) {
  if constexpr (BorrowsAppendKey<T> || (ExtendsText<T> && !HasAppendKey<T>)) {
    static_assert(
        always_false<T>,
        "the key of this argument type would be that of its base, or of a type that it converts to, without its "
        "own members: write void append_key(dsta::cache::KeyWriter& key, const T& value) { ... } for the type "
        "itself");
  } else if constexpr (HasAppendKey<T>) {
    out.push('(');
    KeyWriter writer(out);
    append_key(writer, value);
    out.push(')');
  } else if constexpr (std::same_as<T, bool>) {
    out.append(value ? "true" : "false");
  } else if constexpr (std::same_as<T, char>) {
    append_text(out, {&value, 1});
  } else if constexpr (std::is_enum_v<T>) {
    append_part(out, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::same_as<T, wchar_t> || std::same_as<T, char8_t> || std::same_as<T, char16_t> ||
                       std::same_as<T, char32_t>) {
    out.append_number(static_cast<std::uint32_t>(value));
  } else if constexpr (std::integral<T>) {
    out.append_number(value);
  } else if constexpr (std::floating_point<T>) {
    append_floating(out, value);
  } else if constexpr (TextLike<T>) {
    append_text(out, value);
  } else if constexpr (is_optional<T>) {
    if (!value) return out.push('~');
    // An optional inside an optional needs a mark of its own, or the two kinds of empty would share a key.
    if constexpr (is_optional<typename T::value_type> || std::same_as<typename T::value_type, std::monostate>)
      out.push('!');
    append_part(out, *value);
  } else if constexpr (is_duration<T>) {
    append_part(out, value.count());
    append_unit<typename T::period>(out);
  } else if constexpr (is_time_point<T>) {
    out.push('@');
    append_part(out, value.time_since_epoch());
  } else if constexpr (std::same_as<T, std::chrono::year_month_day>) {
    out.append_number(static_cast<int>(value.year()));
    out.push('-');
    out.append_number(static_cast<unsigned>(value.month()));
    out.push('-');
    out.append_number(static_cast<unsigned>(value.day()));
  } else if constexpr (is_variant<T>) {
    out.append_number(value.index());
    out.push('!');
    if (!value.valueless_by_exception()) std::visit([&](const auto& held) { append_part(out, held); }, value);
  } else if constexpr (std::same_as<T, std::monostate>) {
    out.push('~');
  } else if constexpr (PointerLike<T>) {
    static_assert(always_false<T>,
                  "a pointer cannot be part of a cache key, its address says nothing about the value: pass the value, "
                  "or give the wrapper a .key_builder(...)");
  } else if constexpr (RangeOfItself<T> && std::convertible_to<const T&, std::string>) {
    append_text(out, static_cast<std::string>(value));
  } else if constexpr (std::ranges::input_range<const T> && !RangeOfItself<T>) {
    append_range(out, value);
  } else if constexpr (TupleLike<T>) {
    out.push('(');
    std::apply([&](const auto&... parts) { ((append_part(out, parts), out.push(',')), ...); }, value);
    out.push(')');
  } else {
    static_assert(always_false<T>,
                  "this argument type cannot be part of a cache key: write "
                  "void append_key(dsta::cache::KeyWriter& key, const T& value) { key(value.member, ...); } beside the "
                  "type, or give the wrapper a .key_builder(...)");
  }
}

template <class>
inline constexpr char kClockMark = 'C';
template <>
inline constexpr char kClockMark<std::chrono::system_clock> = 't';
template <>
inline constexpr char kClockMark<std::chrono::steady_clock> = 'T';

/// Writes the type of an argument, for callables whose parameter types are open (generic lambdas): there 1, 1L and "1"
/// are different calls. Enums, own types, clocks and containers of one kind read alike; the entry's type tells them
/// apart (call_type), at the price that they take each other's place.
template <class T>
void append_type(KeyBuffer& out) {
  if constexpr (HasAppendKey<T>) {
    out.push('x');
  } else if constexpr (std::same_as<T, bool>) {
    out.push('b');
  } else if constexpr (std::same_as<T, char>) {
    out.push('c');
  } else if constexpr (std::is_enum_v<T>) {
    out.push('e');
    append_type<std::underlying_type_t<T>>(out);
  } else if constexpr (std::integral<T> || std::floating_point<T>) {
    out.push(std::floating_point<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u');
    out.append_number(sizeof(T) * 8);
  } else if constexpr (TextLike<T>) {
    out.push('s');
  } else if constexpr (is_optional<T>) {
    out.push('o');
    append_type<typename T::value_type>(out);
  } else if constexpr (is_duration<T>) {
    out.push('d');
    append_type<typename T::rep>(out);
  } else if constexpr (is_time_point<T>) {
    out.push(kClockMark<typename T::clock>);
    append_type<typename T::rep>(out);
  } else if constexpr (is_variant<T>) {
    [&]<class... Ts>(std::type_identity<std::variant<Ts...>>) {
      out.push('v');
      out.push('<');
      (append_type<Ts>(out), ...);
      out.push('>');
    }(std::type_identity<T>{});
  } else if constexpr (RangeOfItself<T>) {
    out.push('p');
  } else if constexpr (std::ranges::input_range<const T>) {
    out.push(UnorderedRange<T> ? 'h' : AssociativeRange<T> ? 'a' : 'r');
    append_type<std::remove_cv_t<std::ranges::range_value_t<const T>>>(out);
  } else if constexpr (TupleLike<T>) {
    out.push('<');
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (append_type<std::remove_cvref_t<std::tuple_element_t<I, T>>>(out), ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
    out.push('>');
  } else {
    out.push('z');
  }
}

}  // namespace detail

template <class... Parts>
void KeyWriter::operator()(const Parts&... parts) {
  ((detail::append_part(out_, parts), out_.push(',')), ...);
}

}  // namespace v1
}  // namespace dsta::cache
