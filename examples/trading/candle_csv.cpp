#include "candle_csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <unordered_map>

#include <fmt/format.h>

#include "csv_layout.hpp"
#include "timestamp.hpp"

namespace trading {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

/// Turns lines into candles; every complaint carries the file and the line.
class CandleReader {
 public:
  explicit CandleReader(const std::string& name) : name_(name) {}

  void line(std::string_view text, std::size_t number) {
    number_ = number;
    const auto fields = split_csv_line(text);
    if (fields.size() == 1 && fields.front().empty()) return;  // a blank line
    if (!layout_) {
      try {
        layout_ = detect_layout(fields);
      } catch (const std::invalid_argument& problem) {
        fail(problem.what());
      }
      if (layout_->has_header) return;
    }
    if (fields.size() < layout_->columns) {
      fail(fmt::format("{} columns, where the first line has {}", fields.size(), layout_->columns));
    }
    add(candle(fields));
  }

  std::vector<Candle> finish() {
    if (!layout_) throw CsvError(fmt::format("{}: the file is empty", name_));
    if (candles_.empty()) throw CsvError(fmt::format("{}: a header, but no candle after it", name_));
    std::sort(candles_.begin(), candles_.end(),
              [](const Candle& a, const Candle& b) { return a.open_time < b.open_time; });
    return std::move(candles_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw CsvError(fmt::format("{}:{}: {}", name_, number_, what));
  }

  double number(const std::string& text, std::string_view column) const {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty()) fail(fmt::format("column '{}' is empty", column));
    if (error == std::errc::result_out_of_range) fail(fmt::format("column '{}': '{}' is out of range", column, text));
    if (error != std::errc{} || end != text.data() + text.size()) {
      fail(fmt::format("column '{}': '{}' is not a number", column, text));
    }
    if (!std::isfinite(value)) fail(fmt::format("column '{}': '{}' is not finite", column, text));
    return value;
  }

  Candle candle(const std::vector<std::string>& fields) const {
    std::string when = fields[layout_->time];
    if (layout_->time_of_day) when += ' ' + fields[*layout_->time_of_day];
    const auto time = parse_timestamp(when);
    if (!time)
      fail(fmt::format("'{}' is not a time: use 2024-01-31 [13:45], 31-Jan-24 or milliseconds since 1970", when));

    Candle result;
    result.open_time = *time;
    result.close = number(fields[layout_->close], "close");
    result.open = layout_->open ? number(fields[*layout_->open], "open") : result.close;
    result.high = layout_->high ? number(fields[*layout_->high], "high") : result.close;
    result.low = layout_->low ? number(fields[*layout_->low], "low") : result.close;
    result.volume = layout_->volume ? number(fields[*layout_->volume], "volume") : 0;
    if (result.high < result.low) fail(fmt::format("high {} is below low {}", result.high, result.low));
    if (result.volume < 0) fail(fmt::format("volume {} is negative", result.volume));
    return result;
  }

  void add(const Candle& candle) {
    const auto [first, is_new] = seen_.emplace(candle.open_time, number_);
    if (!is_new)
      fail(fmt::format("the time {} stands on line {} too", format_timestamp(candle.open_time), first->second));
    candles_.push_back(candle);
  }

  const std::string& name_;
  std::size_t number_ = 0;
  std::optional<CsvLayout> layout_;
  std::vector<Candle> candles_;
  std::unordered_map<std::int64_t, std::size_t> seen_;  // open_time → line
};

}  // namespace

std::vector<Candle> parse_candles(std::istream& in, const std::string& name) {
  CandleReader reader{name};
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    std::string_view text = line;
    if (number == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
    reader.line(text, number);
  }
  if (in.bad()) throw CsvError(fmt::format("{}: reading failed", name));
  return reader.finish();
}

std::vector<Candle> read_candles(const std::string& path) {
  if (std::filesystem::is_directory(path)) throw CsvError(fmt::format("{}: is a directory, not a CSV file", path));
  std::ifstream in{path};
  if (!in) throw CsvError(fmt::format("{}: cannot be opened", path));
  return parse_candles(in, path);
}

std::int64_t step_of(const std::vector<Candle>& candles) {
  if (candles.size() < 2) return kDay;
  auto shortest = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 1; i < candles.size(); ++i) {
    shortest = std::min(shortest, candles[i].open_time - candles[i - 1].open_time);
  }
  return shortest;
}

std::string interval_name(std::int64_t step) {
  if (step % kDay == 0) return fmt::format("{}d", step / kDay);
  if (step % kHour == 0) return fmt::format("{}h", step / kHour);
  if (step % kMinute == 0) return fmt::format("{}m", step / kMinute);
  if (step % kSecond == 0) return fmt::format("{}s", step / kSecond);
  return fmt::format("{}ms", step);
}

}  // namespace trading
