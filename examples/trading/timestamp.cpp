#include "timestamp.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <limits>

#include <fmt/format.h>

namespace trading {
namespace {

using std::chrono::milliseconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;

/// Reads a text from left to right; every step says whether it found what it wanted.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  bool skip(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  /// Between `least` and `most` decimal digits.
  std::optional<int> digits(std::size_t least, std::size_t most) {
    std::size_t count = 0;
    int value = 0;
    while (count < most && count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      value = value * 10 + (rest_[count++] - '0');
    }
    if (count < least) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }

  /// Jan … Dec, in any case.
  std::optional<unsigned> month_name() {
    static constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                              "jul", "aug", "sep", "oct", "nov", "dec"};
    if (rest_.size() < 3) return std::nullopt;
    for (unsigned month = 0; month < kMonths.size(); ++month) {
      bool same = true;
      for (std::size_t i = 0; i < 3; ++i) same = same && (rest_[i] | 0x20) == kMonths[month][i];
      if (!same) continue;
      rest_.remove_prefix(3);
      return month + 1;
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> midnight(int year, unsigned month, unsigned day) {
  const year_month_day date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
  if (!date.ok()) return std::nullopt;
  return milliseconds{sys_days{date}.time_since_epoch()}.count();
}

/// A count since 1970 whose unit shows in its size: today's seconds have 10 digits, milliseconds 13, microseconds 16.
std::optional<std::int64_t> from_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  if (text.size() == 8) {
    return midnight(static_cast<int>(value / 10000), static_cast<unsigned>(value / 100 % 100),
                    static_cast<unsigned>(value % 100));
  }
  if (value < 100'000'000'000) return value * 1000;
  if (value < 100'000'000'000'000) return value;
  if (value < 100'000'000'000'000'000) return value / 1000;
  return std::nullopt;
}

std::optional<std::int64_t> date(Scanner& in) {
  if (const auto year = in.digits(4, 4)) {
    const char separator = in.skip('-') ? '-' : '/';
    if (separator == '/' && !in.skip('/')) return std::nullopt;
    const auto month = in.digits(1, 2);
    if (!month || !in.skip(separator)) return std::nullopt;
    const auto day = in.digits(1, 2);
    if (!day) return std::nullopt;
    return midnight(*year, static_cast<unsigned>(*month), static_cast<unsigned>(*day));
  }
  const auto day = in.digits(1, 2);
  if (!day || !in.skip('-')) return std::nullopt;
  const auto month = in.month_name();
  if (!month || !in.skip('-')) return std::nullopt;
  auto year = in.digits(4, 4);
  if (!year) {
    year = in.digits(2, 2);
    if (!year) return std::nullopt;
    *year += *year < 69 ? 2000 : 1900;
  }
  return midnight(*year, *month, static_cast<unsigned>(*day));
}

std::optional<std::int64_t> fraction(Scanner& in) {
  if (!in.skip('.')) return 0;
  std::int64_t value = 0;
  int read = 0;
  while (const auto digit = in.digits(1, 1)) {
    if (read++ < 3) value = value * 10 + *digit;
  }
  if (read == 0) return std::nullopt;
  for (; read < 3; ++read) value *= 10;
  return value;
}

/// What to subtract to reach UTC: Z, UTC, nothing, +01:00, -0530.
std::optional<std::int64_t> zone(Scanner& in) {
  in.skip(' ');
  if (in.done() || in.skip('Z')) return 0;
  if (in.skip('U')) return in.skip('T') && in.skip('C') ? std::optional<std::int64_t>{0} : std::nullopt;
  const bool east = in.skip('+');
  if (!east && !in.skip('-')) return std::nullopt;
  const auto hours = in.digits(2, 2);
  in.skip(':');
  const auto minutes = in.digits(2, 2);
  if (!hours || !minutes || *hours > 14 || *minutes > 59) return std::nullopt;
  return (*hours * 60 + *minutes) * (east ? 60'000 : -60'000);
}

std::optional<std::int64_t> time_of_day(Scanner& in) {
  const auto hour = in.digits(1, 2);
  if (!hour || *hour > 23 || !in.skip(':')) return std::nullopt;
  const auto minute = in.digits(2, 2);
  if (!minute || *minute > 59) return std::nullopt;
  std::int64_t time = (*hour * 60 + *minute) * std::int64_t{60'000};
  if (in.skip(':')) {
    const auto second = in.digits(2, 2);
    const auto rest = second ? fraction(in) : std::nullopt;
    if (!rest || *second > 59) return std::nullopt;
    time += *second * 1000 + *rest;
  }
  const auto offset = zone(in);
  if (!offset) return std::nullopt;
  return time - *offset;
}

}  // namespace

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  if (const auto number = from_number(text)) return number;
  Scanner in{text};
  const auto day = date(in);
  if (!day || in.done()) return day;
  if (!in.skip('T') && !in.skip(' ')) return std::nullopt;
  const auto time = time_of_day(in);
  if (!time || !in.done()) return std::nullopt;
  return *day + *time;
}

std::string format_timestamp(std::int64_t since_epoch) {
  const std::chrono::sys_time<milliseconds> time{milliseconds{since_epoch}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count());
}

}  // namespace trading
