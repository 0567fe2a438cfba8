// The command line.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace trading {

/// A command line that makes no sense; what() says what would.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string candles;                    ///< a candle CSV; empty: a random walk
  std::string symbol;                     ///< what the file holds; empty: the file's name
  std::string database = ":memory:";      ///< SQLite file
  std::vector<std::string> symbols;       ///< random-walk symbols
  std::uint64_t seed = 42;                ///< of the random walk
  std::size_t candles_per_symbol = 300;   ///< of the random walk
  std::chrono::milliseconds latency{20};  ///< of the simulated exchange
  std::string help;                       ///< what to print for --help; empty: run
};

/// Takes the arguments of main. Throws UsageError.
Options parse_options(int argc, const char* const* argv);

}  // namespace trading
