#pragma once
/// Values of a fixed list of parts: pairs, tuples, and structs whose fields are known (fields.hpp, pfr.hpp).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <dsta/cache/detail/structure.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class A, class B>
inline constexpr bool has_structure<std::pair<A, B>> = can_be_part<A>&& can_be_part<B>;
template <class... Ts>
inline constexpr bool has_structure<std::tuple<Ts...>> = (can_be_part<Ts> && ...);

/// The parts one after the other, given as a tuple of references. None at all are a zero byte.
template <class... Ts>
struct Sequence {
  static constexpr std::size_t kMin = sizeof...(Ts) == 0 ? 1 : (std::size_t{0} + ... + Part<Ts>::kMin);
  static constexpr std::size_t kFixed = ((Part<Ts>::kFixed != 0) && ...) ? kMin : 0;
  static constexpr std::size_t kMemory = (std::size_t{0} + ... + round_up_to_word(Part<Ts>::kMemory));

  template <class Parts>
  static void put(char* at, const Parts& parts) {
    if constexpr (sizeof...(Ts) == 0) {
      *at = 0;
    } else {
      std::apply([at](const Ts&... each) mutable { ((Part<Ts>::put(at, each), at += Part<Ts>::kFixed), ...); }, parts);
    }
  }
  template <class Parts>
  static bool get(const char* at, const Parts& parts) {
    if constexpr (sizeof...(Ts) == 0) {
      return *at == 0;
    } else {
      return std::apply(
          [at](Ts&... each) mutable { return (Part<Ts>::get(std::exchange(at, at + Part<Ts>::kFixed), each) && ...); },
          parts);
    }
  }
  template <class Parts>
  static void write(BinaryWriter& out, const Parts& parts) {
    if constexpr (kFixed != 0) {
      put(out.extend(kFixed), parts);
    } else {
      std::apply([&out](const Ts&... each) { (Part<Ts>::write(out, each), ...); }, parts);
    }
  }
  template <class Parts>
  static bool read(BinaryReader& in, const Parts& parts) {
    if constexpr (kFixed != 0) {
      const char* const at = in.take(kFixed);
      return at && get(at, parts);
    } else {
      return std::apply([&in](Ts&... each) { return (Part<Ts>::read(in, each) && ...); }, parts);
    }
  }
};

/// At least its size: of over-aligned parts, and of fields that are not listed.
template <class T, class Parts>
inline constexpr std::size_t memory_of = std::max(Parts::kMemory, round_up_to_word(sizeof(T)));

/// (A,B,C): a pair and a tuple of the same types are of one shape.
template <class Tuple, class... Ts>
struct TupleStructure {
  using Parts = Sequence<Ts...>;
  static constexpr std::size_t kFixed = Parts::kFixed, kMin = Parts::kMin, kMemory = memory_of<Tuple, Parts>;
  static constexpr bool kPlain = false;

  static auto tie(Tuple& value) {
    return std::apply([](Ts&... each) { return std::tie(each...); }, value);
  }
  static auto tie(const Tuple& value) {
    return std::apply([](const Ts&... each) { return std::tie(each...); }, value);
  }
  static void put(char* at, const Tuple& value) { Parts::put(at, tie(value)); }
  static bool get(const char* at, Tuple& value) { return Parts::get(at, tie(value)); }
  static void write(BinaryWriter& out, const Tuple& value) { Parts::write(out, tie(value)); }
  static bool read(BinaryReader& in, Tuple& value) { return Parts::read(in, tie(value)); }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    const char* separator = "(";
    ((out.put(separator), Part<Ts>::template shape<Above...>(out), separator = ","), ...);
    if constexpr (sizeof...(Ts) == 0) out.put(separator);
    out.put(')');
  }
};
template <class A, class B>
struct Structure<std::pair<A, B>> : TupleStructure<std::pair<A, B>, A, B> {};
template <class... Ts>
struct Structure<std::tuple<Ts...>> : TupleStructure<std::tuple<Ts...>, Ts...> {};

/// {name:A,name:B}, and {:A,:B} where the names are not known.
template <class T, class Types>
struct FieldsStructure;
template <class T, class... Ts>
struct FieldsStructure<T, std::tuple<Ts...>> {
  using Fields = FieldsOf<T>;
  using Parts = Sequence<Ts...>;
  static constexpr std::size_t kFixed = Parts::kFixed, kMin = Parts::kMin, kMemory = memory_of<T, Parts>;
  /// Without padding, and nothing but the fields.
  static constexpr bool kPlain = [] {
    if constexpr (kFixed == 0 || sizeof...(Ts) == 0 || !std::is_trivially_copyable_v<T>)
      return false;
    else
      return (Part<Ts>::kPlain && ...) && kFixed == sizeof(T) && (std::size_t{0} + ... + sizeof(Ts)) == sizeof(T);
  }();

  /// The fields lie in the order in which they are listed. C++20 has no way to say where a member lies but of an
  /// object.
  static bool in_order() {
    if constexpr (!kPlain) {
      return false;
    } else {
      const T probe{};
      const auto* const begin = reinterpret_cast<const char*>(&probe);
      std::ptrdiff_t at = 0;
      return std::apply(
          [&](const Ts&... each) {
            const auto lies_here = [&](const void* field, std::size_t size) {
              return static_cast<const char*>(field) - begin ==
                     std::exchange(at, at + static_cast<std::ptrdiff_t>(size));
            };
            return ((lies_here(std::addressof(each), sizeof(Ts)) && Part<Ts>::in_order()) && ...);
          },
          Fields::tie(probe));
    }
  }

  static void put(char* at, const T& value) { Parts::put(at, Fields::tie(value)); }
  static bool get(const char* at, T& value) { return Parts::get(at, Fields::tie(value)); }
  static void write(BinaryWriter& out, const T& value) {
    if constexpr (kFixed == 0) out.enter();
    Parts::write(out, Fields::tie(value));
    if constexpr (kFixed == 0) out.leave();
  }
  static bool read(BinaryReader& in, T& value) {
    if constexpr (kFixed != 0) {
      return Parts::read(in, Fields::tie(value));
    } else {
      if (!in.enter() || !Parts::read(in, Fields::tie(value))) return false;
      in.leave();
      return true;
    }
  }

  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    if constexpr ((std::same_as<T, Above> || ...)) {
      out.put('^');  // contains itself: which of those around it, from the outermost
      out.put(index_of<Above...>());
    } else {
      put_version(out);
      std::size_t index = 0;
      const char* separator = "{";
      ((static_cast<void>(out.put(separator)), put_name(out, index++), Part<Ts>::template shape<Above..., T>(out),
        separator = ","),
       ...);
      if constexpr (sizeof...(Ts) == 0) out.put(separator);
      out.put('}');
    }
  }

 private:
  template <class... Above>
  static constexpr std::size_t index_of() {
    std::size_t index = 0;
    static_cast<void>(((std::same_as<T, Above> || (static_cast<void>(++index), false)) || ...));
    return index;
  }
  static constexpr void put_version(ShapeText& out) {
    if (Fields::version().empty()) return;
    out.put('#');
    out.put_quoted(Fields::version());
  }
  static constexpr void put_name(ShapeText& out, std::size_t index) {
    out.put(Fields::name(index));
    out.put(':');  // also without a name: {:A} is no set of A
  }
};

template <class>
inline constexpr bool all_can_be_parts = false;
template <class... Ts>
inline constexpr bool all_can_be_parts<std::tuple<Ts...>> = (can_be_part<Ts> && ...);

/// Says in one sentence why the fields of T cannot be stored.
template <class T>
consteval auto check_fields() {
  if constexpr (!requires { sizeof(FieldsOf<T>); }) {
    static_assert(!bool(reflected<T>),
                  "a reflected type needs #include <dsta/cache/pfr.hpp> (and Boost 1.75 or later)");
    return std::type_identity<RefusedStructure<T>>{};
  } else if constexpr (!lists_own_fields<T>) {
    static_assert(lists_own_fields<T>,
                  "cache_fields() is a base class's and would drop the members of this class: list them here, or "
                  "specialise dsta::cache::fields<T>");
    return std::type_identity<RefusedStructure<T>>{};
  } else if constexpr (!std::is_default_constructible_v<T>) {
    static_assert(std::is_default_constructible_v<T>,
                  "a type whose fields are named needs a default constructor, to be decoded into: give it one, or "
                  "specialise dsta::cache::codec<T>");
    return std::type_identity<RefusedStructure<T>>{};
  } else if constexpr (!all_can_be_parts<typename FieldsOf<T>::Types>) {
    static_assert(all_can_be_parts<typename FieldsOf<T>::Types>,
                  "a field of this type has no binary codec (pointers, views, references, const members and "
                  "in_process_only types have none): name the fields of its type as well, specialise "
                  "dsta::cache::codec for it, or leave it out");
    return std::type_identity<RefusedStructure<T>>{};
  } else {
    return std::type_identity<FieldsStructure<T, typename FieldsOf<T>::Types>>{};
  }
}

template <Described T>
struct Structure<T> : decltype(check_fields<T>())::type {};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
