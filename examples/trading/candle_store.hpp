// The service's database: candles and user preferences, in SQLite. This is what the cache stands in front of.
#pragma once

#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "model.hpp"
#include "sqlite.hpp"

namespace trading {

/// Thread-safe: one connection behind one lock, because cached functions load from several threads.
class CandleStore {
 public:
  static constexpr int kRecent = 500;  ///< candles in one answer

  /// A file or `:memory:`; missing tables are created.
  explicit CandleStore(const std::string& path);

  /// Puts these candles in place of what this symbol and interval had; all or nothing.
  void replace_series(const std::string& symbol, const std::string& interval, std::span<const Candle> candles);

  /// A candle of the same time is overwritten, as an exchange does with the candle that is still open.
  void insert(const std::string& symbol, const std::string& interval, const Candle& candle);

  /// The most recent candles, oldest first; none for an unknown symbol.
  std::vector<Candle> recent_candles(const std::string& symbol, const std::string& interval, int limit = kRecent);

  void save_preferences(const Preferences& preferences);

  /// Throws std::out_of_range for an unknown user.
  Preferences preferences(int user_id);

 private:
  void write(const std::string& symbol, const std::string& interval, const Candle& candle);

  std::mutex mutex_;
  Database database_;  // guarded by mutex_, like all that follows
  Statement insert_candle_;
  Statement delete_series_;
  Statement select_recent_;
  Statement insert_preferences_;
  Statement select_preferences_;
};

}  // namespace trading
