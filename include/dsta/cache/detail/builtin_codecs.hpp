#pragma once
/// The codecs of codec.hpp.
#include <concepts>
#include <cstddef>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/codable.hpp>
#include <dsta/cache/detail/binary_codec.hpp>
#include <dsta/cache/detail/codec_traits.hpp>
#include <dsta/cache/detail/holds.hpp>
#include <dsta/cache/detail/number_text.hpp>
#include <dsta/cache/detail/shape.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace detail {

/// What only refers to its elements: std::string_view, std::span, a lazy range.
struct RefersElsewhere {
  static constexpr bool through_pointers = false;
  template <class T>
  static constexpr bool of = !is_plain<T> && std::ranges::view<T>;
};
template <class T>
inline constexpr bool RefersElsewhere::of<std::initializer_list<T>> = true;
template <class T>
inline constexpr bool RefersElsewhere::of<std::reference_wrapper<T>> = true;

/// Such a value would dangle in a cache.
template <class T>
inline constexpr bool holds_view = holds<RefersElsewhere, T>;

}  // namespace detail

/// Numbers are decimal text: the same on every platform, readable in redis-cli.
template <detail::Number T>
struct codec<T> : detail::LibraryCodec<T> {
  static constexpr std::string_view name = detail::number_name<T>();
  static void encode(const T& value, std::string& out) {
    char text[detail::kNumberText];
    out.append(text, detail::write_number(text, static_cast<detail::written_t<T>>(value)));
  }
  static std::optional<T> decode(std::string_view bytes) {
    detail::written_t<T> number{};
    if (!detail::read_number(bytes, number)) return std::nullopt;
    if constexpr (std::integral<T>) {
      if (static_cast<detail::written_t<T>>(static_cast<T>(number)) != number) return std::nullopt;
    }
    return static_cast<T>(number);
  }
};

template <>
struct codec<bool> : detail::LibraryCodec<bool> {
  static constexpr std::string_view name = "bool";
  static void encode(bool value, std::string& out) { out += value ? "true" : "false"; }
  static std::optional<bool> decode(std::string_view bytes) {
    if (bytes == "true") return true;
    if (bytes == "false") return false;
    return std::nullopt;
  }
};

template <class T>
  requires(std::is_enum_v<T> && !detail::TriviallyCodable<T>)
struct codec<T> : detail::LibraryCodec<T> {
  using Number = std::underlying_type_t<T>;
  static constexpr std::string_view name = codec<Number>::name;
  static void encode(T value, std::string& out) { codec<Number>::encode(static_cast<Number>(value), out); }
  static std::optional<T> decode(std::string_view bytes) {
    if (const auto number = codec<Number>::decode(bytes)) return static_cast<T>(*number);
    return std::nullopt;
  }
};

template <>
struct codec<std::string> : detail::LibraryCodec<std::string> {
  static constexpr std::string_view name = "str";
  static void encode(const std::string& value, std::string& out) { out += value; }
  static std::optional<std::string> decode(std::string_view bytes) { return std::string(bytes); }
};

template <detail::Byte B>
struct codec<std::vector<B>> : detail::LibraryCodec<std::vector<B>> {
  static constexpr std::string_view name = "bytes";
  static void encode(const std::vector<B>& value, std::string& out) {
    out.append(reinterpret_cast<const char*>(value.data()), value.size());
  }
  static std::optional<std::vector<B>> decode(std::string_view bytes) {
    const auto* first = reinterpret_cast<const B*>(bytes.data());
    return std::vector<B>(first, first + bytes.size());
  }
};

namespace detail {
/// `trivial:size:alignment`, and `:name` if one was given.
template <class T>
struct TrivialName {
  static constexpr void write(ShapeText& out) {
    out.put("trivial:");
    out.put(sizeof(T));
    out.put(':');
    out.put(alignof(T));
    if (trivial_name<T>().empty()) return;
    out.put(':');
    out.put(trivial_name<T>());
  }
};
}  // namespace detail

template <detail::TriviallyCodable T>
struct codec<T> : detail::LibraryCodec<T> {
  static_assert(std::is_trivially_copyable_v<T>, "trivially_codable is for trivially copyable types: write a codec");
  static constexpr std::string_view name = detail::ShapeConstant<detail::TrivialName<T>>::text;
  static void encode(const T& value, std::string& out) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static std::optional<T> decode(std::string_view bytes) {
    if (bytes.size() != sizeof(T)) return std::nullopt;
    std::optional<T> value(std::in_place);
    std::memcpy(static_cast<void*>(&*value), bytes.data(), sizeof(T));
    return value;
  }
};

namespace detail {
template <class T>
struct HolderName {
  static constexpr void write(ShapeText& out) {
    out.put('?');
    out.put(std::string_view(codec<T>::name));
  }
};

/// One byte says whether a value follows.
template <class Holder, class T>
struct HolderCodec : LibraryCodec<Holder> {
  static constexpr std::string_view name = ShapeConstant<HolderName<T>>::text;
  static void encode(const Holder& value, std::string& out) {
    out += value ? '1' : '0';
    if (value) codec<T>::encode(*value, out);
  }
  static std::optional<Holder> decode(std::string_view bytes) {
    if (bytes == "0") return std::optional<Holder>(std::in_place);
    if (bytes.empty() || bytes[0] != '1') return std::nullopt;
    std::optional<T> value = codec<T>::decode(bytes.substr(1));
    if (!value) return std::nullopt;
    if constexpr (std::same_as<Holder, std::optional<T>>) {
      return std::optional<Holder>(std::in_place, std::move(*value));
    } else {
      return std::optional<Holder>(std::make_shared<T>(std::move(*value)));
    }
  }
};
}  // namespace detail

template <Codable T>
struct codec<std::optional<T>> : detail::HolderCodec<std::optional<T>, T> {};

template <Codable T>
struct codec<std::shared_ptr<const T>> : detail::HolderCodec<std::shared_ptr<const T>, T> {};

}  // namespace v1
}  // namespace dsta::cache
