// What the example prints: sections, timing rows, and checks that decide about the exit code.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace trading {

using Nanoseconds = std::chrono::nanoseconds;

/// `83 ns`, `1.24 µs`, `20.3 ms`
std::string describe(Nanoseconds duration);

std::string describe(double value);
std::string describe(const Ticker& ticker);
std::string describe(const OrderBook& book);
std::string describe(const std::vector<Candle>& candles);
std::string describe(const Macd& macd);
std::string describe(const Bands& bands);
std::string describe(const Preferences& preferences);

/// How long one function took in its three states.
struct Timing {
  std::string name;
  Nanoseconds cold{};
  Nanoseconds cached{};  ///< the mean of many calls
  Nanoseconds reloaded{};
  std::string value;
};

/// One thread. Colours only on a terminal, and not when NO_COLOR is set.
class Report {
 public:
  explicit Report(std::FILE* out);

  void title(std::string_view name, std::string_view text);
  void section(std::string_view heading);
  void line(std::string_view text);
  void timing_header(std::string_view heading);
  void timing(const Timing& row);

  /// Prints the promise with a tick or a cross, and remembers a cross.
  void check(bool holds, std::string_view promise);

  /// Counts without printing while the promise holds.
  void quiet_check(bool holds, std::string_view promise);

  /// The last line; true if every check held.
  bool finish();

 private:
  std::string styled(const char* code, std::string_view text) const;

  std::FILE* const out_;
  const bool colours_;
  int passed_ = 0;
  int failed_ = 0;
};

}  // namespace trading
