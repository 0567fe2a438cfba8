#pragma once
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include <dsta/cache/detail/builtin_codecs.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Specialised for types whose values can be such that even copying them is unsafe: `check(value)` throws ValueError.
/// Containers, optionals, pairs and tuples of such types are checked element by element.
template <class T>
struct ValueCheck;

template <class T>
concept Checked = requires(const T& value) {
  ValueCheck<T>::check(value);
};

/// True when a T is checked or holds what is. Looks `Depth` levels deep, as some types are ranges of themselves.
template <class T, int Depth = 4>
inline constexpr bool needs_check = [] {
  if constexpr (is_plain<T>) {
    return false;
  } else if constexpr (Checked<T>) {
    return true;
  } else if constexpr (Depth > 0 && std::ranges::input_range<const T>) {
    return needs_check<std::ranges::range_value_t<const T>, Depth - 1>;
  } else {
    return false;
  }
}();
template <class T, int Depth>
inline constexpr bool needs_check<std::optional<T>, Depth> = needs_check<T, Depth>;
template <class T, int Depth>
inline constexpr bool needs_check<std::shared_ptr<T>, Depth> = needs_check<std::remove_cv_t<T>, Depth>;
template <class A, class B, int Depth>
inline constexpr bool needs_check<std::pair<A, B>, Depth> =
    needs_check<std::remove_cv_t<A>, Depth> || needs_check<B, Depth>;
template <class... Ts, int Depth>
inline constexpr bool needs_check<std::tuple<Ts...>, Depth> = (needs_check<Ts, Depth> || ...);

template <class T>
void check_value(const T& value) {
  if constexpr (!needs_check<T>) {
    return;
  } else if constexpr (Checked<T>) {
    ValueCheck<T>::check(value);
  } else if constexpr (std::ranges::input_range<const T>) {
    for (const auto& element : value) check_value(element);
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    std::apply([](const auto&... parts) { (check_value(parts), ...); }, value);
  } else {
    if (value) check_value(*value);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
