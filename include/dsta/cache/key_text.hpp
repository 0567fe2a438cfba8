#pragma once
/// Text of keys and patterns, for manual calls on keys of wrapped functions.
#include <string>
#include <string_view>

#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {

/// `value` as a wrapped function encodes it in its keys (see key.hpp): text with escapes, numbers, lists and so on.
///     cache.delete_pattern("candles:" + glob_escape(key_part(symbol)) + ":*")
/// A function with `auto` parameters appends the type of an argument that is not text; this function does not. Does not
/// compile for a type that cannot be part of a key, such as a pointer.
/// Thread-safe.
template <class T>
std::string key_part(const T& value) {
  detail::KeyBuffer part;
  if constexpr (detail::TextLike<T>) {
    detail::append_text(part, value);
  } else {
    detail::append_part<T>(part, value);
  }
  return std::string(part.view());
}

/// `text` as a glob pattern that matches exactly this text. Thread-safe.
std::string glob_escape(std::string_view text);

}  // namespace v1
}  // namespace dsta::cache
