#pragma once
/// Keys of wrapped functions: `prefix:name:arg:arg`.
///
/// The encoding is injective (two unequal argument lists of the same types never make one key), readable, and the same
/// in every build, locale and process. Each argument is one part:
///   text      as it is; every byte but letters, digits and  - . _ / @ + = $ & ; < > | # '  as %XX; empty: ""
///   numbers   shortest form that reads back equal; -0.0 is 0; enums are their number; bool is true or false
///   optional  the value, or ~ when empty
///   chrono    the count with its unit (5s, 250ms), time points @count, dates 2026-1-31
///   ranges, tuples   (a,b,)   unordered containers are sorted first        variants   index!value
///   own types    what `append_key(KeyWriter&, const T&)`, found by ADL, writes
#include <cstddef>

#include <dsta/cache/fwd.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Longest key, in bytes. A longer one is a KeyError.
inline constexpr std::size_t kMaxKeyBytes = std::size_t{1} << 20;

/// Longest key of a wrapped function that is kept whole, in bytes. A longer one keeps its head and ends in a 128-bit
/// hash.
inline constexpr std::size_t kReadableKeyBytes = 256;

namespace detail {
class KeyBuffer;
}

/// Writes a user's own type into a key, member by member:
///     void append_key(dsta::cache::KeyWriter& key, const Pair& p) { key(p.base, p.quote); }
/// Write every member that makes two values unequal. For one thread.
class KeyWriter {
 public:
  /// The library makes them.
  explicit KeyWriter(detail::KeyBuffer& out) : out_(out) {}

  /// Appends the parts, in this order.
  template <class... Parts>
  void operator()(const Parts&... parts);

 private:
  detail::KeyBuffer& out_;
};

}  // namespace v1
}  // namespace dsta::cache

#include <dsta/cache/detail/key_parts.hpp>
