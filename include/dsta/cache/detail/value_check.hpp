#pragma once
#include <ranges>
#include <tuple>
#include <variant>

#include <dsta/cache/detail/holds.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Specialised for types whose values can be such that even copying them is unsafe: `check(value)` throws ValueError.
/// Containers, optionals, shared pointers, pairs, tuples and variants of such types are checked element by element.
template <class T>
struct ValueCheck;

template <class T>
concept Checked = requires(const T& value) {
  ValueCheck<T>::check(value);
};

struct HasCheck {
  static constexpr bool through_pointers = true;
  template <class T>
  static constexpr bool of = !is_plain<T> && Checked<T>;
};

/// True when a T is checked or holds what is.
template <class T>
inline constexpr bool needs_check = holds<HasCheck, T>;

template <class T>
void check_value(const T& value) {
  if constexpr (!needs_check<T>) {
    return;
  } else if constexpr (Checked<T>) {
    ValueCheck<T>::check(value);
  } else if constexpr (std::ranges::input_range<const T>) {
    for (const auto& element : value) check_value(element);
  } else if constexpr (requires { std::variant_size<T>::value; }) {
    if (!value.valueless_by_exception()) std::visit([](const auto& held) { check_value(held); }, value);
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    std::apply([](const auto&... parts) { (check_value(parts), ...); }, value);
  } else {
    if (value) check_value(*value);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
