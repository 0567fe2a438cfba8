// The time column of candle files, in the forms that exchanges and data vendors really write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trading {

/// Milliseconds since 1970 (UTC), or nullopt if `text` is in none of these forms:
///   1704067200, 1704067200000, 1704067200000000   seconds, milliseconds, microseconds
///   20240131, 2024-01-31, 2024/01/31              a day, optionally followed by a time
///   2024-01-31T13:45:30.250+01:00                 the time: blank or T, seconds, fraction and zone optional
///   31-Jan-24, 31-Jan-2024                        a two-digit year below 69 is 20yy, as in POSIX
/// A day that does not exist (30 February) is refused. 01/02/2024 is refused too: it means two days.
std::optional<std::int64_t> parse_timestamp(std::string_view text);

/// `2024-01-31 13:45`, UTC.
std::string format_timestamp(std::int64_t milliseconds);

}  // namespace trading
