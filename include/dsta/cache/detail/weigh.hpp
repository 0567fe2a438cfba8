#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/detail/std_types.hpp>

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

/// A deque: elements by index, and none of them lies at a fixed distance from the first.
template <class T>
concept Blocks =
    std::ranges::random_access_range<const T> && !std::ranges::contiguous_range<const T> && requires(T & value) {
  value.push_front(std::declval<typename T::value_type>());
};

/// What one heap allocation of n bytes takes out of the budget, the allocator's header and rounding included.
constexpr std::size_t allocation(std::size_t n) {
  return n == 0 ? 0 : std::max<std::size_t>(32, (n + 8 + 15) / 16 * 16);
}

/// A container of the standard library, or one that looks like it.
template <class T>
concept OwnsElements = requires {
  typename T::value_type;
}
&&(std::ranges::sized_range<const T> || requires(T & value) {
  value.before_begin();  // a forward list
});

/// Bytes that a container allocates for its elements, without what they own themselves.
template <OwnsElements T>
std::size_t container_size(const T& value) {
  using Element = typename T::value_type;
  if constexpr (std::same_as<T, std::vector<bool>>) {
    return allocation(value.capacity() / 8);
  } else if constexpr (requires {
                         value.capacity();
                         value.data();
                       }) {
    return allocation(value.capacity() * sizeof(Element));
  } else if constexpr (std::ranges::contiguous_range<const T>) {
    return 0;  // an array: the elements are inside
  } else if constexpr (Blocks<T>) {
    // As libstdc++ makes it: a list of at least eight blocks, and blocks of 512 bytes or one larger element.
    const std::size_t each = std::max<std::size_t>(1, 512 / sizeof(Element)), blocks = value.size() / each + 1;
    return allocation(std::max<std::size_t>(8, blocks + 2) * sizeof(void*)) +
           blocks * allocation(std::max<std::size_t>(512, sizeof(Element)));
  } else if constexpr (std::ranges::sized_range<const T>) {
    constexpr std::size_t kLinks = NodeBased<T> ? 4 * sizeof(void*) : 2 * sizeof(void*);
    return std::ranges::size(value) * allocation(sizeof(Element) + kLinks);
  } else {
    return static_cast<std::size_t>(std::ranges::distance(value)) * allocation(sizeof(Element) + sizeof(void*));
  }
}

/// Deeper values are weighed without what their innermost parts own, as recursion would overflow the stack.
inline constexpr int kMaxWeighedDepth = 256;

/// Bytes that `value` owns outside of itself. A user's `cache_weight(const T&)`, found by ADL, comes first; types we
/// cannot look into weigh what their encoding weighs. `depth`: how many values stand around this one.
template <class T>
std::size_t heap_size(const T& value, int depth = 0) {
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
    const std::size_t inside = depth < kMaxWeighedDepth ? heap_size(*value, depth + 1) : 0;
    if constexpr (requires { typename T::element_type; }) return allocation(sizeof(*value) + 16) + inside;
    return inside;
  } else if constexpr (OwnsElements<T>) {
    using Element = typename T::value_type;
    std::size_t bytes = container_size<T>(value);
    if constexpr (!std::is_trivially_copyable_v<Element>) {
      if (depth >= kMaxWeighedDepth) return bytes;
      for (const auto& element : value) bytes += heap_size<Element>(element, depth + 1);
    }
    return bytes;
  } else if constexpr (std::is_array_v<T>) {
    std::size_t bytes = 0;
    for (const auto& element : value) bytes += heap_size(element, depth + 1);
    return bytes;
  } else if constexpr (Described<T>) {
    return std::apply([depth](const auto&... each) { return (std::size_t{0} + ... + heap_size(each, depth + 1)); },
                      FieldsOf<T>::tie(value));
  } else if constexpr (requires {
                         value.first;
                         value.second;
                       }) {
    return heap_size(value.first, depth + 1) + heap_size(value.second, depth + 1);
  } else if constexpr (is_tuple<T>) {
    return std::apply([depth](const auto&... each) { return (std::size_t{0} + ... + heap_size(each, depth + 1)); },
                      value);
  } else if constexpr (is_variant<T>) {
    if (value.valueless_by_exception()) return 0;
    return std::visit([depth](const auto& held) { return heap_size(held, depth + 1); }, value);
  } else if constexpr (Codable<T>) {
    std::string encoded;
    try {
      codec<T>::encode(value, encoded);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {  // the codec's own: a value that cannot be written can be kept in memory all the same
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
