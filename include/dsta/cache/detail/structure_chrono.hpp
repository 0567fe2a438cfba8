#pragma once
/// Durations, points in time and parts of dates.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <dsta/cache/clock_name.hpp>
#include <dsta/cache/detail/structure.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace detail {

template <class Rep, class Period>
inline constexpr bool has_structure<std::chrono::duration<Rep, Period>> =
    Scalar<Rep> && !std::same_as<Rep, long double>;
template <class Clock, class Duration>
inline constexpr bool has_structure<std::chrono::time_point<Clock, Duration>> =
    has_structure<Duration> && !clock_name<Clock>.empty();

/// Their number, however it is counted.
template <class T, class Rep>
struct CountStructure : FixedStructure<CountStructure<T, Rep>, T> {
  using Base = Structure<Rep>;
  static constexpr std::size_t kFixed = Base::kFixed, kMin = kFixed, kMemory = Base::kMemory;
  static constexpr bool kPlain = Base::kPlain && std::is_trivially_copyable_v<T> && sizeof(T) == sizeof(Rep);
  static constexpr bool in_order() { return true; }
  static void put(char* at, const T& value) {
    if constexpr (requires { value.count(); })
      Base::put(at, value.count());
    else
      Base::put(at, value.time_since_epoch().count());
  }
  static bool get(const char* at, T& value) {
    Rep number{};
    const bool valid = Base::get(at, number);
    if constexpr (requires { value.count(); })
      value = T(number);
    else
      value = T(typename T::duration(number));
    return valid;
  }
};

template <class Rep, class Period>
struct Structure<std::chrono::duration<Rep, Period>> : CountStructure<std::chrono::duration<Rep, Period>, Rep> {
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("d(");
    Structure<Rep>::template shape<>(out);
    out.put(',');
    out.put(static_cast<std::size_t>(Period::num));
    out.put('/');
    out.put(static_cast<std::size_t>(Period::den));
    out.put(')');
  }
};

template <class Clock, class Duration>
struct Structure<std::chrono::time_point<Clock, Duration>>
    : CountStructure<std::chrono::time_point<Clock, Duration>, typename Duration::rep> {
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("t(");
    out.put_quoted(clock_name<Clock>);
    out.put(',');
    Structure<Duration>::template shape<>(out);
    out.put(')');
  }
};

template <>
inline constexpr bool has_structure<std::chrono::year> = true;
template <>
inline constexpr bool has_structure<std::chrono::month> = true;
template <>
inline constexpr bool has_structure<std::chrono::day> = true;
template <>
inline constexpr bool has_structure<std::chrono::weekday> = true;
template <>
inline constexpr bool has_structure<std::chrono::year_month> = true;
template <>
inline constexpr bool has_structure<std::chrono::year_month_day> = true;

/// Parts of a date that are a small number. Their layout is the library's own, so they are never copied as bytes.
template <class T>
struct DatePart;
template <>
struct DatePart<std::chrono::year> {
  using Rep = std::int16_t;
  static constexpr std::string_view kName = "year";
  static Rep number(std::chrono::year value) { return static_cast<Rep>(static_cast<int>(value)); }
};
template <>
struct DatePart<std::chrono::month> {
  using Rep = std::uint8_t;
  static constexpr std::string_view kName = "month";
  static Rep number(std::chrono::month value) { return static_cast<Rep>(static_cast<unsigned>(value)); }
};
template <>
struct DatePart<std::chrono::day> {
  using Rep = std::uint8_t;
  static constexpr std::string_view kName = "day";
  static Rep number(std::chrono::day value) { return static_cast<Rep>(static_cast<unsigned>(value)); }
};
template <>
struct DatePart<std::chrono::weekday> {
  using Rep = std::uint8_t;
  static constexpr std::string_view kName = "weekday";
  static Rep number(std::chrono::weekday value) { return static_cast<Rep>(value.c_encoding()); }
};

template <class T>
struct DatePartStructure : FixedStructure<DatePartStructure<T>, T> {
  using Rep = typename DatePart<T>::Rep;
  static constexpr std::size_t kFixed = sizeof(Rep), kMin = kFixed, kMemory = kFixed;
  static constexpr bool kPlain = false;
  static void put(char* at, const T& value) { Structure<Rep>::put(at, DatePart<T>::number(value)); }
  static bool get(const char* at, T& value) {
    Rep number{};
    Structure<Rep>::get(at, number);
    value = T(number);
    return DatePart<T>::number(value) == number;  // a weekday 7 is 0
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put(DatePart<T>::kName);
  }
};
template <>
struct Structure<std::chrono::year> : DatePartStructure<std::chrono::year> {};
template <>
struct Structure<std::chrono::month> : DatePartStructure<std::chrono::month> {};
template <>
struct Structure<std::chrono::day> : DatePartStructure<std::chrono::day> {};
template <>
struct Structure<std::chrono::weekday> : DatePartStructure<std::chrono::weekday> {};

template <>
struct Structure<std::chrono::year_month>
    : FixedStructure<Structure<std::chrono::year_month>, std::chrono::year_month> {
  static constexpr std::size_t kFixed = 3, kMin = 3, kMemory = 4;
  static constexpr bool kPlain = false;
  static void put(char* at, const std::chrono::year_month& value) {
    Structure<std::chrono::year>::put(at, value.year());
    Structure<std::chrono::month>::put(at + 2, value.month());
  }
  static bool get(const char* at, std::chrono::year_month& value) {
    std::chrono::year year{};
    std::chrono::month month{};
    const bool valid = Structure<std::chrono::year>::get(at, year) && Structure<std::chrono::month>::get(at + 2, month);
    value = year / month;
    return valid;
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("year_month");
  }
};

template <>
struct Structure<std::chrono::year_month_day>
    : FixedStructure<Structure<std::chrono::year_month_day>, std::chrono::year_month_day> {
  static constexpr std::size_t kFixed = 4, kMin = 4, kMemory = 4;
  static constexpr bool kPlain = false;
  static void put(char* at, const std::chrono::year_month_day& value) {
    Structure<std::chrono::year_month>::put(at, value.year() / value.month());
    Structure<std::chrono::day>::put(at + 3, value.day());
  }
  static bool get(const char* at, std::chrono::year_month_day& value) {
    std::chrono::year_month month{};
    std::chrono::day day{};
    const bool valid =
        Structure<std::chrono::year_month>::get(at, month) && Structure<std::chrono::day>::get(at + 3, day);
    value = month / day;
    return valid;
  }
  template <class...>
  static constexpr void shape(ShapeText& out) {
    out.put("year_month_day");
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
