// Fills the store from a file or a random walk, and keeps each symbol's last candle back: it arrives later, while
// the cache is warm. So the update that the example shows is real data wherever the candles are.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "candle_store.hpp"
#include "model.hpp"
#include "options.hpp"

namespace trading {

/// 26 for the slow average of MACD, and the one that arrives later.
inline constexpr std::size_t kFewestCandles = 27;

struct Market {
  std::vector<std::string> symbols;        ///< the file's symbol first
  std::string interval;                    ///< of all of them
  std::string source;                      ///< in words
  std::size_t stored = 0;                  ///< candles now in the store
  std::map<std::string, Candle> upcoming;  ///< symbol → the candle that is not there yet
};

/// Throws CsvError, SqliteError, or std::runtime_error for a file with fewer than kFewestCandles.
Market load_market(const Options& options, CandleStore& store);

}  // namespace trading
