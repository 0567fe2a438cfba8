#pragma once
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class T>
concept HasWeight = requires(const T& value) {
  { cache_weight(value) } -> std::convertible_to<std::size_t>;
};

/// Specialised for types of other libraries that would be weighed wrongly by their looks.
template <class T>
struct Weigher;

template <class T>
concept NodeBased = requires {
  typename T::key_type;
};

/// What one heap allocation of n bytes takes out of the budget, the allocator's header and rounding included.
constexpr std::size_t allocation(std::size_t n) {
  return n == 0 ? 0 : std::max<std::size_t>(32, (n + 8 + 15) / 16 * 16);
}

/// Bytes that `value` owns outside of itself. A user's `cache_weight(const T&)`, found by ADL, comes first; types we
/// cannot look into weigh what their encoding weighs.
template <class T>
std::size_t heap_size(const T& value) {
  if constexpr (HasWeight<T>) {
    return cache_weight(value);
  } else if constexpr (requires { Weigher<T>::weigh(value); }) {
    return Weigher<T>::weigh(value);
  } else if constexpr (std::is_trivially_copyable_v<T>) {
    return 0;
  } else if constexpr (std::same_as<T, std::string>) {
    return value.capacity() <= 15 ? 0 : allocation(value.capacity() + 1);
  } else if constexpr (is_builtin<T> && requires { *value; }) {
    if (!value) return 0;
    if constexpr (requires { typename T::element_type; }) return allocation(sizeof(*value) + 16) + heap_size(*value);
    return heap_size(*value);
  } else if constexpr (std::ranges::sized_range<const T> && requires { typename T::value_type; }) {
    using Element = typename T::value_type;
    std::size_t bytes = 0;
    if constexpr (requires {
                    value.capacity();
                    value.data();
                  }) {
      bytes = allocation(value.capacity() * sizeof(Element));
    } else {
      constexpr std::size_t kLinks = NodeBased<T> ? 4 * sizeof(void*) : 2 * sizeof(void*);
      bytes = std::ranges::size(value) * allocation(sizeof(Element) + kLinks);
    }
    if constexpr (!std::is_trivially_copyable_v<Element>) {
      for (const auto& element : value) bytes += heap_size<Element>(element);
    }
    return bytes;
  } else if constexpr (requires {
                         value.first;
                         value.second;
                       }) {
    return heap_size(value.first) + heap_size(value.second);
  } else if constexpr (Described<T>) {
    return std::apply([](const auto&... each) { return (std::size_t{0} + ... + heap_size(each)); },
                      FieldsOf<T>::tie(value));
  } else if constexpr (Codable<T>) {
    std::string encoded;
    try {
      codec<T>::encode(value, encoded);
    } catch (const Error&) {  // a value that cannot be written can be kept in memory all the same
      return allocation(sizeof(T));
    }
    return allocation(encoded.size());
  } else {
    return 0;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
