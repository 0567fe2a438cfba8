#pragma once
#include <optional>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Where a value came from.
enum class Source { none, l1, l2 };

/// A value with what is known about it.
template <class T>
struct Lookup {
  std::optional<T> value;
  Source source = Source::none;
  Duration age{};      ///< since it was stored
  bool stale = false;  ///< past its ttl, within its stale_for

  explicit operator bool() const { return value.has_value(); }
};

}  // namespace v1
}  // namespace dsta::cache
