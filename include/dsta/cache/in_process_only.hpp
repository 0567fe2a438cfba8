#pragma once
/// Values that never leave the process: handles, prepared statements, loaded models, what refers to memory or a
/// connection of this process.
#include <dsta/cache/detail/holds.hpp>

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

struct MarkedInProcess {
  static constexpr bool through_pointers = true;
  template <class T>
  static constexpr bool of = in_process_only<T>;
};

/// True when T is marked or holds what is.
template <class T>
inline constexpr bool stays_in_process = holds<MarkedInProcess, T>;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
