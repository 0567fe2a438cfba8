#pragma once
/// What the binary codec knows of a type, at compile time: Structure<T>.
///
///   kFixed   the bytes of every value; 0 when they differ
///   kMin     the fewest bytes of a value, at least 1
///   kMemory  what a value takes in memory by the format's constants, without what it allocates. At least what it takes
///            on 64-bit Linux. The same everywhere but for types that are larger than their parts, as padding depends
///            on it (binary_io.hpp)
///   kPlain   the bytes are those in memory, and any bytes are a value; if in_order() says so too, which the compiler
///            works out while optimizing
///   put, get       of fixed size: at a place that is long enough. get is false for bytes that are no value
///   write, read    of any type. read replaces what a default constructor put there
///   shape          the type's part of the codec's name
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <dsta/cache/detail/binary_io.hpp>
#include <dsta/cache/detail/codec_traits.hpp>
#include <dsta/cache/detail/shape.hpp>
#include <dsta/cache/json_format.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class T>
concept Scalar = !TriviallyCodable<T> && std::same_as<T, std::remove_cv_t<T>> &&
                 (Number<T> || std::same_as<T, bool> || std::is_enum_v<T>);

/// Its author said that it is to be JSON.
template <class T>
concept PrefersJson = !std::same_as<decltype(json_format<T>), const DefaultJsonFormat>;

/// True when Structure<T> exists. Those of the standard library's types are in the headers that have their Structure.
/// Whether the members of a described type have one is not asked here, as the type may contain itself: Structure says.
template <class T>
inline constexpr bool has_structure = Scalar<T> || TriviallyCodable<T> || Described<T>;

/// A description of T's fields comes before json_format, which is for what the library would know by itself.
template <class T>
concept Structured = has_structure<T> &&(Described<T> || !PrefersJson<T>);

/// True when a T may be part of a value in the binary codec.
template <class T>
consteval bool is_part() {
  if constexpr (in_process_only<T>)
    return false;
  else if constexpr (Structured<T>)
    return true;
  else if constexpr (MessageLike<T> && !PrefersJson<T>)  // also where message.hpp is missing: PartOf asks for it
    return std::default_initializable<T>;
  else if constexpr (UserCodec<T>)
    return std::default_initializable<T>;
  else
    return false;
}
template <class T>
inline constexpr bool can_be_part = is_part<T>();
template <class T, std::size_t N>
inline constexpr bool has_structure<T[N]> = can_be_part<T>;

template <class T>
struct Structure;

constexpr std::size_t round_up_to_word(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

/// A type with a codec of the user's own inside another: its bytes, behind their size.
template <class T>
struct OpaqueStructure {
  static constexpr std::size_t kFixed = 0, kMin = 1, kMemory = round_up_to_word(sizeof(T));
  static constexpr bool kPlain = false;
  static void write(BinaryWriter& out, const T& value) {
    std::string bytes;
    codec<T>::encode(value, bytes);
    out.length(bytes.size());
    out.bytes(bytes.data(), bytes.size());
  }
  static bool read(BinaryReader& in, T& value) {
    std::size_t size = 0;
    if (!in.count(size, 1, 0)) return false;
    std::optional<T> decoded = codec<T>::decode(std::string_view(in.take(size), size));
    if (decoded) value = std::move(*decoded);
    return decoded.has_value();
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("=");
    out.put_quoted(codec<T>::name);
  }
};

/// Stands in for the Structure of a type that is refused, so that the compiler says no more than the one sentence.
template <class T>
struct RefusedStructure;

template <class T>
struct PartOf {
  static constexpr auto choose() {
    if constexpr (std::is_class_v<T> || std::is_union_v<T> || std::is_enum_v<T>) {
      if constexpr (UserCodec<T>)
        return std::type_identity<OpaqueStructure<T>>{};
      else if constexpr (MessageLike<T> && !Structured<T>)
        return message_without_header();
      else
        return std::type_identity<Structure<T>>{};
    } else {
      return std::type_identity<Structure<T>>{};
    }
  }
  static constexpr auto message_without_header() {
    static_assert(UserCodec<T>, "a message inside a value needs #include <dsta/cache/message.hpp>");
    return std::type_identity<RefusedStructure<T>>{};
  }
  using type = typename decltype(choose())::type;
};
/// The Structure of a T inside another value.
template <class T>
using Part = typename PartOf<T>::type;

/// write and read by put and get.
template <class Self, class T>
struct FixedStructure {
  static void write(BinaryWriter& out, const T& value) { Self::put(out.extend(Self::kFixed), value); }
  static bool read(BinaryReader& in, T& value) {
    const char* const at = in.take(Self::kFixed);
    return at && Self::get(at, value);
  }
};

template <class T>
struct RefusedStructure : FixedStructure<RefusedStructure<T>, T> {
  static constexpr std::size_t kFixed = 1, kMin = 1, kMemory = 1;
  static constexpr bool kPlain = false;
  static void put(char*, const T&) {}
  static bool get(const char*, T&) { return false; }
  template <class...>
  static constexpr void shape(ShapeText&) {}
};

template <std::size_t Size>
using UnsignedOf = std::conditional_t<
    Size == 1, std::uint8_t,
    std::conditional_t<Size == 2, std::uint16_t, std::conditional_t<Size == 4, std::uint32_t, std::uint64_t>>>;

/// Little-endian, as wide as in memory.
template <class T>
struct NumberStructure : FixedStructure<NumberStructure<T>, T> {
  static constexpr std::size_t kFixed = sizeof(T), kMin = kFixed, kMemory = kFixed;
  static constexpr bool kPlain = std::endian::native == std::endian::little;
  static constexpr bool in_order() { return true; }

  static void put(char* at, const T& value) {
    if constexpr (kPlain) {
      std::memcpy(at, &value, sizeof value);
    } else {
      auto bits = std::bit_cast<UnsignedOf<sizeof(T)>>(value);
      for (std::size_t i = 0; i < sizeof(T); ++i, bits = static_cast<decltype(bits)>(bits >> 8 * (sizeof(T) > 1)))
        at[i] = static_cast<char>(bits & 0xFFU);
    }
  }
  static bool get(const char* at, T& value) {
    if constexpr (kPlain) {
      std::memcpy(&value, at, sizeof value);
    } else {
      UnsignedOf<sizeof(T)> bits = 0;
      for (std::size_t i = 0; i < sizeof(T); ++i)
        bits =
            static_cast<decltype(bits)>(bits | static_cast<decltype(bits)>(static_cast<unsigned char>(at[i])) << 8 * i);
      value = std::bit_cast<T>(bits);
    }
    return true;
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    // Their signs differ between processors.
    out.put(std::same_as<T, char> ? "char" : std::same_as<T, wchar_t> && sizeof(T) == 4 ? "wchar" : number_name<T>());
  }
};

struct BoolStructure : FixedStructure<BoolStructure, bool> {
  static constexpr std::size_t kFixed = 1, kMin = 1, kMemory = 1;
  static constexpr bool kPlain = false;  // other bytes than 0 and 1 are no bool
  static void put(char* at, bool value) { *at = value ? 1 : 0; }
  static bool get(const char* at, bool& value) {
    value = *at == 1;
    return *at == 0 || *at == 1;
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("bool");
  }
};

/// By its number; which numbers are enumerators C++ does not tell.
template <class T>
struct EnumStructure : FixedStructure<EnumStructure<T>, T> {
  using Value = std::underlying_type_t<T>;
  using Base = Structure<Value>;
  static constexpr std::size_t kFixed = Base::kFixed, kMin = kFixed, kMemory = kFixed;
  static constexpr bool kPlain = Base::kPlain;
  static constexpr bool in_order() { return true; }
  static void put(char* at, const T& value) { Base::put(at, static_cast<Value>(value)); }
  static bool get(const char* at, T& value) {
    Value number{};
    const bool valid = Base::get(at, number);
    value = static_cast<T>(number);
    return valid;
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("e(");
    Base::template shape<>(out);
    out.put(')');
  }
};

/// As decimal text: its bytes differ between processors.
template <std::same_as<long double> T>
struct LongDoubleStructure {
  static constexpr std::size_t kFixed = 0, kMin = 2;
  static constexpr std::size_t kMemory = 32;  ///< with the padding that its alignment brings to what holds it
  static constexpr bool kPlain = false;
  static void write(BinaryWriter& out, T value) {
    std::string text;
    codec<T>::encode(value, text);
    out.length(text.size());
    out.bytes(text.data(), text.size());
  }
  static bool read(BinaryReader& in, T& value) {
    std::size_t size = 0;
    if (!in.count(size, 1, 0)) return false;
    const auto number = codec<T>::decode(std::string_view(in.take(size), size));
    if (number) value = *number;
    return number.has_value();
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("f80");  // also where a long double is a double
  }
};

template <class T>
struct ScalarStructure
    : std::conditional_t<std::is_enum_v<T>, std::type_identity<EnumStructure<T>>,
                         std::conditional_t<std::same_as<T, bool>, std::type_identity<BoolStructure>,
                                            std::conditional_t<std::same_as<T, long double>,
                                                               std::type_identity<LongDoubleStructure<long double>>,
                                                               std::type_identity<NumberStructure<T>>>>>::type {};
template <Scalar T>
struct Structure<T> : ScalarStructure<T> {};

/// Its bytes, as everywhere.
template <TriviallyCodable T>
struct Structure<T> : FixedStructure<Structure<T>, T> {
  static constexpr std::size_t kFixed = sizeof(T), kMin = kFixed, kMemory = kFixed;
  static constexpr bool kPlain = true;
  static constexpr bool in_order() { return true; }
  static void put(char* at, const T& value) { std::memcpy(at, &value, sizeof value); }
  static bool get(const char* at, T& value) {
    std::memcpy(static_cast<void*>(&value), at, sizeof value);
    return true;
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put('=');
    out.put_quoted(codec<T>::name);
  }
};

/// Elements of fixed size, one after the other.
template <class T>
void put_all(char* at, const T* first, std::size_t count) {
  using Element = Part<T>;
  if constexpr (Element::kPlain) {
    if (Element::in_order()) {
      std::memcpy(at, first, count * sizeof(T));
      return;
    }
  }
  for (std::size_t i = 0; i < count; ++i, at += Element::kFixed) Element::put(at, first[i]);
}
template <class T>
bool get_all(const char* at, T* first, std::size_t count) {
  using Element = Part<T>;
  if constexpr (Element::kPlain) {
    if (Element::in_order()) {
      std::memcpy(static_cast<void*>(first), at, count * sizeof(T));
      return true;
    }
  }
  for (std::size_t i = 0; i < count; ++i, at += Element::kFixed) {
    if (!Element::get(at, first[i])) return false;
  }
  return true;
}

/// A fixed number of elements of one type: std::array and arrays as members. An empty one is a zero byte, so that no
/// value takes no bytes.
template <class Array, class T, std::size_t N>
struct ArrayStructure {
  using Element = Part<T>;
  static constexpr std::size_t kFixed = N == 0 ? 1 : N * Element::kFixed;
  static constexpr std::size_t kMin = N == 0 ? 1 : N * Element::kMin;
  static constexpr std::size_t kMemory = N == 0 ? 1 : N * Element::kMemory;
  static constexpr bool kPlain = Element::kPlain && N != 0;
  static constexpr bool in_order() {
    if constexpr (kPlain) return Element::in_order();
    return false;
  }

  static void put(char* at, const Array& value) {
    *at = 0;
    if constexpr (N != 0) put_all(at, std::data(value), N);
  }
  static bool get(const char* at, Array& value) {
    if constexpr (N == 0)
      return *at == 0;
    else
      return get_all(at, std::data(value), N);
  }
  static void write(BinaryWriter& out, const Array& value) {
    if constexpr (kFixed != 0)
      put(out.extend(kFixed), value);
    else
      for (const T& element : value) Element::write(out, element);
  }
  static bool read(BinaryReader& in, Array& value) {
    if constexpr (kFixed != 0) {
      const char* const at = in.take(kFixed);
      return at && get(at, value);
    } else {
      for (T& element : value) {
        if (!Element::read(in, element)) return false;
      }
      return true;
    }
  }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    out.put('[');
    Element::template shape<Above...>(out);
    out.put(';');
    out.put(N);
    out.put(']');
  }
};
template <class T, std::size_t N>
struct Structure<T[N]> : ArrayStructure<T[N], T, N> {};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
