// Candles out of a CSV file as one downloads it: no conversion step before the first run.
#pragma once

#include <cstdint>
#include <istream>
#include <stdexcept>
#include <string>
#include <vector>

#include "model.hpp"

namespace trading {

/// A file that cannot be used. what() reads `prices.csv:7: column 'close': '12x' is not a number`.
class CsvError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Reads candles, oldest first whatever the order in the file. Three layouts are known:
///   * an exchange's kline export, 12 columns beginning with open_time, with or without its header;
///   * a header that names a time, open, high, low, close and perhaps volume, in any order;
///   * a header that names a time and close alone: open = high = low = close, volume 0.
/// Other columns are ignored. A number that is not one, is not finite, a missing column, a time that stands twice
/// and a file without candles throw CsvError. `name` is what errors call the file.
std::vector<Candle> parse_candles(std::istream& in, const std::string& name);

/// The same from a file; one that cannot be opened throws CsvError.
std::vector<Candle> read_candles(const std::string& path);

/// The shortest distance between two neighbours in milliseconds (weekends and holidays are gaps); a day if there are
/// none.
std::int64_t step_of(const std::vector<Candle>& candles);

/// `1d`, `4h`, `15m`
std::string interval_name(std::int64_t step);

}  // namespace trading
