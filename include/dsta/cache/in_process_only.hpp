#pragma once
/// Values that never leave the process: handles, prepared statements, loaded models, what refers to memory or a
/// connection of this process.
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace dsta::cache {
inline namespace v1 {

/// True: values of T need no codec and are kept in this process alone, also by a manager with a server, whatever
/// `level` says. Every process loads them for itself; invalidations of tags and functions reach them as they reach
/// others.
///     template <> inline constexpr bool dsta::cache::in_process_only<Handle> = true;
/// Holds for optionals, shared pointers, containers, pairs, tuples and variants of T as well. A struct with such a
/// field has no codec: mark it, too.
template <class T>
inline constexpr bool in_process_only = false;

namespace detail {

/// True when T is marked or holds what is. Looks `Depth` levels deep, as some types are ranges of themselves.
template <class T, int Depth = 4>
inline constexpr bool stays_in_process = in_process_only<T>;
template <class T, int Depth>
  requires(!in_process_only<T> && Depth > 0 && std::ranges::input_range<const T>)
inline constexpr bool stays_in_process<T, Depth> = stays_in_process<std::ranges::range_value_t<const T>, Depth - 1>;
template <class T, int Depth>
inline constexpr bool stays_in_process<std::optional<T>, Depth> = stays_in_process<T, Depth>;
template <class T, int Depth>
inline constexpr bool stays_in_process<std::shared_ptr<T>, Depth> = stays_in_process<std::remove_cv_t<T>, Depth>;
template <class A, class B, int Depth>
inline constexpr bool stays_in_process<std::pair<A, B>, Depth> =
    stays_in_process<std::remove_cv_t<A>, Depth> || stays_in_process<B, Depth>;
template <class... Ts, int Depth>
inline constexpr bool stays_in_process<std::tuple<Ts...>, Depth> = (stays_in_process<Ts, Depth> || ...);
template <class... Ts, int Depth>
inline constexpr bool stays_in_process<std::variant<Ts...>, Depth> = (stays_in_process<Ts, Depth> || ...);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
