#pragma once
#include <chrono>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Every duration in this library: signed nanoseconds.
using Duration = std::chrono::nanoseconds;

/// A point on the monotonic clock.
using TimePoint = std::chrono::steady_clock::time_point;

/// A ttl without end. (A ttl of zero or less means: do not store.)
inline constexpr Duration forever = Duration::max();

namespace detail {
template <class>
inline constexpr bool always_false = false;

/// Converts to nanoseconds; what does not fit becomes `forever` (or its negative) instead of wrapping around.
template <class Rep, class Period>
constexpr Duration saturate(std::chrono::duration<Rep, Period> d) {
  using Seconds = std::chrono::duration<long double>;
  const auto seconds = std::chrono::duration_cast<Seconds>(d).count();
  if (seconds != seconds) throw ConfigError("a duration is not a number (NaN)");
  constexpr auto limit = std::chrono::duration_cast<Seconds>(Duration::max()).count();
  if (seconds >= limit) return Duration::max();
  if (seconds <= -limit) return Duration::min();
  if constexpr (std::integral<Rep>) {
    // Of a time that fits, count * num is below 2^97 whatever the unit, and so fits with nine more digits. The standard
    // cast multiplies in 64 bits: 240 days of samples at 44100 Hz overflow it.
    __extension__ using Wide = __int128;
    return Duration(
        static_cast<Duration::rep>(static_cast<Wide>(d.count()) * Period::num * 1'000'000'000 / Period::den));
  } else {
    return std::chrono::duration_cast<Duration>(d);
  }
}
}  // namespace detail

/// A duration in an options struct; unset by default. Takes any std::chrono duration. Bare numbers do not compile, so
/// that `.ttl = 300` cannot be misread as nanoseconds or seconds. A duration too long for Duration becomes `forever`.
/// Throws ConfigError for NaN. A plain value.
class OptionalDuration {
 public:
  /// Unset.
  constexpr OptionalDuration() = default;

  /// Set to this time.
  template <class Rep, class Period>
  constexpr OptionalDuration(std::chrono::duration<Rep, Period> d) : value_(detail::saturate(d)), set_(true) {}

  /// Refuses bare numbers at compile time.
  template <class Number>
    requires std::is_arithmetic_v<Number>
  constexpr OptionalDuration(Number) {
    static_assert(detail::always_false<Number>,
                  "a time such as ttl is a std::chrono duration, not a bare number: write 300s "
                  "(using namespace std::chrono_literals) or std::chrono::seconds(n)");
  }

  /// True when it is set.
  constexpr bool has_value() const { return set_; }
  /// The time, in nanoseconds, or `fallback` when it is unset.
  constexpr Duration value_or(Duration fallback) const { return set_ ? value_ : fallback; }
  /// Equal: both unset, or both set to the same time.
  constexpr bool operator==(const OptionalDuration&) const = default;

 private:
  Duration value_{};
  bool set_ = false;
};

}  // namespace v1
}  // namespace dsta::cache
