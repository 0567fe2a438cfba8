#pragma once

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Specialised for types whose values can be such that even copying them is unsafe: `check(value)` throws ValueError.
template <class T>
struct ValueCheck;

template <class T>
void check_value(const T& value) {
  if constexpr (requires { ValueCheck<T>::check(value); }) ValueCheck<T>::check(value);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
