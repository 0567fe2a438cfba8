#pragma once
/// Points in time as values: those of named clocks have a codec.
#include <chrono>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {

/// What points in time of a clock are called in a codec's name. Empty, the default, for all but system_clock and local
/// time: then they have no codec. A steady_clock has none: it counts from the boot of the machine, so its values mean
/// nothing on another machine. To store such times even so, or those of a clock of your own, name the clock:
///     template <> inline constexpr std::string_view dsta::cache::clock_name<ExchangeClock> = "exchange";
template <class Clock>
inline constexpr std::string_view clock_name = {};
/// The system's clock.
template <>
inline constexpr std::string_view clock_name<std::chrono::system_clock> = "system";
/// Local time.
template <>
inline constexpr std::string_view clock_name<std::chrono::local_t> = "local";

}  // namespace v1
}  // namespace dsta::cache
