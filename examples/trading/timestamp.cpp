#include "timestamp.hpp"

#include <charconv>
#include <chrono>
#include <regex>
#include <sstream>

#include <date/date.h>  // what std::chrono::parse is made after; libstdc++ 12 has none

namespace trading {
namespace {

using std::chrono::milliseconds;

constexpr const char* kDays[] = {"%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d-%b-%y", "%d-%b-%Y"};
constexpr std::chrono::hours kWidestOffset{14};
constexpr std::size_t kLongest = 64;  // std::regex recurses once a character

/// A count since 1970 whose unit shows in its size: today's seconds have 10 digits, milliseconds 13, microseconds 16.
std::optional<std::int64_t> from_count(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  if (value < 100'000'000'000) return value * 1000;
  if (value < 100'000'000'000'000) return value;
  if (value < 100'000'000'000'000'000) return value / 1000;
  return std::nullopt;
}

/// The whole of `text` in this format.
std::optional<std::int64_t> read(const std::string& text, const std::string& format) {
  std::istringstream in{text};
  date::fields<milliseconds> fields;
  std::string* const no_abbreviation = nullptr;
  std::chrono::minutes offset{0};
  date::from_stream(in, format.c_str(), fields, no_abbreviation, &offset);
  if (in.fail() || in.peek() != std::istringstream::traits_type::eof()) return std::nullopt;
  if (!fields.ymd.ok() || !fields.tod.in_conventional_range()) return std::nullopt;
  if (std::chrono::abs(offset) > kWidestOffset) return std::nullopt;
  return (date::sys_days{fields.ymd} + fields.tod.to_duration() - offset).time_since_epoch().count();
}

}  // namespace

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  if (text.size() != 8) {  // 20240131
    if (const auto count = from_count(text)) return count;
  }
  if (text.size() > kLongest) return std::nullopt;
  // date accepts numbers with too few digits as well, so the shape comes first.
  static const std::regex kShape{R"((\d{4}[-/]\d\d?[-/]\d\d?|\d{8}|\d\d?-[A-Za-z]{3}-(?:\d\d){1,2}))"
                                 R"((?:[T ](\d\d?:\d\d(:\d\d(?:\.\d+)?)?)(?: ?(?:Z|UTC|([+-]\d\d(:?)[0-5]\d)))?)?)"};
  static const std::regex kBeyondMilliseconds{R"((\.\d{3})\d+)"};
  const std::string cut = std::regex_replace(std::string{text}, kBeyondMilliseconds, "$1");
  std::smatch part;  // day, clock, seconds, offset, its colon
  if (!std::regex_match(cut, part, kShape)) return std::nullopt;

  const std::string clock_format = part[3].matched ? " %H:%M:%S" : part[2].matched ? " %H:%M" : "";
  const std::string offset_format = !part[4].matched ? "" : part[5].length() > 0 ? "%Ez" : "%z";
  const std::string plain = part.str(1) + (part[2].matched ? " " : "") + part.str(2) + part.str(4);
  for (const char* day_format : kDays) {
    if (const auto time = read(plain, day_format + clock_format + offset_format)) return time;
  }
  return std::nullopt;
}

std::string format_timestamp(std::int64_t since_epoch) {
  return date::format("%F %R", date::sys_time<milliseconds>{milliseconds{since_epoch}});
}

}  // namespace trading
