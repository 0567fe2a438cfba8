#pragma once
/// Values that may be missing, or one of several: std::optional, std::shared_ptr<const T>, std::variant.
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <dsta/cache/detail/structure.hpp>
#include <dsta/cache/detail/structure_fields.hpp>
#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class T>
inline constexpr bool has_structure<std::optional<T>> = can_be_part<T>;
template <class T>
inline constexpr bool has_structure<std::shared_ptr<const T>> = can_be_part<T>&& std::default_initializable<T>;
template <>
inline constexpr bool has_structure<std::monostate> = true;
template <class... Ts>
inline constexpr bool has_structure<std::variant<Ts...>> = ((can_be_part<Ts> && std::default_initializable<Ts>)&&...);

/// One byte says whether a value follows.
template <class T>
struct Structure<std::optional<T>> {
  using Held = Part<T>;
  static constexpr std::size_t kFixed = 0, kMin = 1;
  static constexpr std::size_t kMemory =
      std::max(round_up_to_word(Held::kMemory) + 8, round_up_to_word(sizeof(std::optional<T>)));
  static constexpr bool kPlain = false;
  static void write(BinaryWriter& out, const std::optional<T>& value) {
    out.byte(value.has_value());
    if (value) Held::write(out, *value);
  }
  static bool read(BinaryReader& in, std::optional<T>& value) {
    unsigned char held = 0;
    value.reset();
    if (!in.byte(held) || held > 1) return false;
    return held == 0 || Held::read(in, value.emplace());
  }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    out.put('?');
    Held::template shape<Above...>(out);
  }
};

/// Like an optional. Two that point to one value are two values when they come back.
template <class T>
struct Structure<std::shared_ptr<const T>> {
  static constexpr std::size_t kFixed = 0, kMin = 1, kMemory = 16;
  static constexpr bool kPlain = false;
  static void write(BinaryWriter& out, const std::shared_ptr<const T>& value) {
    out.byte(value != nullptr);
    if (!value) return;
    out.charge(1, kAllocated<>);
    Part<T>::write(out, *value);
  }
  static bool read(BinaryReader& in, std::shared_ptr<const T>& value) {
    unsigned char held = 0;
    value.reset();
    if (!in.byte(held) || held > 1) return false;
    if (held == 0) return true;
    if (!in.charge(1, kAllocated<>)) return false;
    auto made = std::make_shared<T>();
    const bool valid = Part<T>::read(in, *made);
    value = std::move(made);
    return valid;
  }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    out.put('?');
    Part<T>::template shape<Above...>(out);
  }

 private:
  /// A template, as T may contain the pointer and is not complete before.
  template <class Held = T>
  static constexpr std::size_t kAllocated =
      round_up_to_word(Part<Held>::kMemory) + std::max<std::size_t>(32, alignof(Held));
};

template <>
struct Structure<std::monostate> : FixedStructure<Structure<std::monostate>, std::monostate> {
  static constexpr std::size_t kFixed = 1, kMin = 1, kMemory = 1;
  static constexpr bool kPlain = false;
  static void put(char* at, std::monostate) { *at = 0; }
  static bool get(const char* at, std::monostate) { return *at == 0; }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("none");
  }
};

/// The index of the alternative, then its value.
template <class... Ts>
struct Structure<std::variant<Ts...>> {
  using Variant = std::variant<Ts...>;
  static constexpr std::size_t kFixed = 0, kMin = 1 + std::min({Part<Ts>::kMin...});
  static constexpr std::size_t kMemory =
      std::max(std::max({round_up_to_word(Part<Ts>::kMemory)...}) + 8, round_up_to_word(sizeof(Variant)));
  static constexpr bool kPlain = false;
  static void write(BinaryWriter& out, const Variant& value) {
    if (value.valueless_by_exception()) throw ValueError("a std::variant without a value cannot be encoded");
    out.length(value.index());
    std::visit([&out]<class T>(const T& held) { Part<T>::write(out, held); }, value);
  }
  static bool read(BinaryReader& in, Variant& value) {
    std::size_t index = 0;
    if (!in.length(index) || index >= sizeof...(Ts)) return false;
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      bool valid = false;
      ((index == I && (valid = Part<Ts>::read(in, value.template emplace<I>()))) || ...);
      return valid;
    }
    (std::index_sequence_for<Ts...>{});
  }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    const char* separator = "<";
    ((out.put(separator), Part<Ts>::template shape<Above...>(out), separator = "|"), ...);
    out.put('>');
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
