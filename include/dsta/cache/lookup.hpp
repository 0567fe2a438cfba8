#pragma once
#include <optional>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Where a value was found.
enum class Source {
  none,  ///< nowhere: there is no value
  l1,    ///< in this process
  l2,    ///< at the server
};

/// A value with its source and age.
template <class T>
struct Lookup {
  std::optional<T> value;
  Source source = Source::none;
  Duration age{};      ///< time since it was stored, in nanoseconds
  bool stale = false;  ///< past its ttl, within its stale_for

  /// True when there is a value.
  explicit operator bool() const { return value.has_value(); }
};

}  // namespace v1
}  // namespace dsta::cache
