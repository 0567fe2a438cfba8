#pragma once
/// What stands in keys and patterns, for those who write them by hand.
#include <string>
#include <string_view>

#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {

/// `value` as wrapped functions write an argument into their keys (see key.hpp): text with its escapes, numbers, lists…
///     cache.delete_pattern("candles:" + glob_escape(key_part(symbol)) + ":*")
/// A function with `auto` parameters writes the type of an argument that is no text behind it; this does not.
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

/// `text` as a glob pattern that matches nothing else.
std::string glob_escape(std::string_view text);

}  // namespace v1
}  // namespace dsta::cache
