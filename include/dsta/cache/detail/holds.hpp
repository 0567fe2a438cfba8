#pragma once
/// Whether a type has a property, or holds what has it: asked once here for all such properties.
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Types that are no ranges and hold none. Asking this first is cheaper than the concepts of <ranges>.
template <class T>
inline constexpr bool is_plain = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string>;

/// True when `Trait::of<T>` is, or holds for what is in T: elements of containers, values of optionals, parts of pairs
/// and tuples, alternatives of variants, and with `Trait::through_pointers` what shared pointers point to. Looks
/// `Depth` containers deep, as some types are ranges of themselves.
template <class Trait, class T, int Depth = 4>
inline constexpr bool holds = [] {
  if constexpr (Trait::template of<T>) {
    return true;
  } else if constexpr (is_plain<T> || Depth == 0) {
    return false;
  } else if constexpr (std::ranges::input_range<const T>) {
    return holds<Trait, std::ranges::range_value_t<const T>, Depth - 1>;
  } else {
    return false;
  }
}();
template <class Trait, class T, int Depth>
inline constexpr bool holds<Trait, std::optional<T>, Depth> =
    Trait::template of<std::optional<T>> || holds<Trait, T, Depth>;
template <class Trait, class T, int Depth>
inline constexpr bool holds<Trait, std::shared_ptr<T>, Depth> = Trait::template of<std::shared_ptr<T>> ||
                                                                (Trait::through_pointers &&
                                                                 holds<Trait, std::remove_cv_t<T>, Depth>);
template <class Trait, class A, class B, int Depth>
inline constexpr bool holds<Trait, std::pair<A, B>, Depth> =
    Trait::template of<std::pair<A, B>> || holds<Trait, std::remove_cv_t<A>, Depth> || holds<Trait, B, Depth>;
template <class Trait, class... Ts, int Depth>
inline constexpr bool holds<Trait, std::tuple<Ts...>, Depth> = Trait::template of<std::tuple<Ts...>> ||
                                                               (holds<Trait, Ts, Depth> || ...);
template <class Trait, class... Ts, int Depth>
inline constexpr bool holds<Trait, std::variant<Ts...>, Depth> = Trait::template of<std::variant<Ts...>> ||
                                                                 (holds<Trait, Ts, Depth> || ...);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
