#pragma once
/// Which values a hit copies while the entry is protected by a hazard pointer, without a count that threads share.
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/core.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A trivially copyable value that arrives as whole words.
template <class R>
struct Raw {
  alignas(R) alignas(8) unsigned char bytes[(sizeof(R) + 7) / 8 * 8];
  R value() const { return *std::launder(reinterpret_cast<const R*>(bytes)); }
};

/// Types whose copy runs no user code. A copy constructor of the user's might call the cache, and the thread has one
/// hazard pointer.
template <class T>
inline constexpr bool kCopiesQuietly = std::is_trivially_copyable_v<T>;
template <>
inline constexpr bool kCopiesQuietly<std::string> = true;
template <class T>
inline constexpr bool kCopiesQuietly<std::vector<T>> = kCopiesQuietly<T>;
template <class T>
inline constexpr bool kCopiesQuietly<std::optional<T>> = kCopiesQuietly<T>;
template <class A, class B>
inline constexpr bool kCopiesQuietly<std::pair<A, B>> = kCopiesQuietly<A>&& kCopiesQuietly<B>;

/// Entries of T are copied so. Volatile and incomplete types are refused elsewhere.
template <class T>
inline constexpr bool kHitsByCopy = kTypeOps<T>.bitwise || kCopiesQuietly<T>;

template <class T>
void copy_into(const void* value, void* out) {
  static_cast<std::optional<T>*>(out)->emplace(*static_cast<const T*>(value));
}

/// Of a bitwise type, into a Raw<T>: by whole words, which an entry has room for.
template <class T>
void copy_raw(const void* value, void* out) {
  std::memcpy(out, value, sizeof(Raw<T>));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
