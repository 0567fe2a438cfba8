#pragma once
#include <optional>

#include <dsta/cache/time_span.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Where a value was found.
enum class Source {
  none,  ///< nowhere: there is no value
  l1,    ///< in this process
  l2,    ///< at the server
};

/// A value with its source and age. A plain value.
template <class T>
struct Lookup {
  std::optional<T> value;        ///< nullopt when there is none
  Source source = Source::none;  ///< where it was found
  TimeSpan age;                  ///< time since it was stored
  bool stale = false;            ///< past its ttl, within its stale_for

  /// True when there is a value.
  explicit operator bool() const { return value.has_value(); }
};

}  // namespace v1
}  // namespace dsta::cache
