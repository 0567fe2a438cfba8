#pragma once
#include <chrono>
#include <iosfwd>
#include <string>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {

/// A Duration that the cache reports, such as the time left of an entry. It is used like any std::chrono duration;
/// besides it is printed with its unit and gives seconds without a cast. A plain value.
class TimeSpan : public Duration {
 public:
  /// Zero.
  constexpr TimeSpan() : Duration(0) {}
  /// The same time.
  constexpr TimeSpan(Duration time) : Duration(time) {}
  /// The same time, in nanoseconds; at most `forever` when it is longer. Throws ConfigError for NaN.
  template <class Rep, class Period>
  constexpr TimeSpan(std::chrono::duration<Rep, Period> time) : Duration(detail::saturate(time)) {}

  /// In seconds. `forever` is infinity.
  double seconds() const;
  /// As it is printed: `599.998s`, `250ms`, `1.5us`, `20ns`, `forever`. Seconds have up to three decimals, as have the
  /// others.
  std::string text() const;
  /// Prints text().
  friend std::ostream& operator<<(std::ostream& out, const TimeSpan& span);
};

/// Prints text().
std::ostream& operator<<(std::ostream& out, const TimeSpan& span);

}  // namespace v1
}  // namespace dsta::cache
