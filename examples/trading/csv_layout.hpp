// Which column of a candle CSV holds what: decided once, from the first line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trading {

/// The fields of one line; a quoted field may hold commas and doubled quotes. Blanks around fields are dropped.
std::vector<std::string> split_csv_line(std::string_view line);

struct CsvLayout {
  std::size_t time = 0;
  std::optional<std::size_t> time_of_day;  ///< a second column, joined to the first by a blank
  std::optional<std::size_t> open;         ///< open, high and low: all three or none
  std::optional<std::size_t> high;
  std::optional<std::size_t> low;
  std::size_t close = 0;
  std::optional<std::size_t> volume;
  bool has_header = true;
  std::size_t columns = 0;  ///< a line with fewer fields is incomplete
};

/// Throws std::invalid_argument saying which column is missing or why the line fits no layout.
CsvLayout detect_layout(const std::vector<std::string>& first_line);

}  // namespace trading
