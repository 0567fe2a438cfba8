// The service's database: candles and user preferences, in SQLite. This is what the cache stands in front of.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace SQLite {
class Database;
}

namespace trading {

/// what() names the operation, SQLite's own message and the database.
class SqliteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thread-safe: one connection behind one lock, because cached functions load from several threads.
/// Every call throws SqliteError when the database fails.
class CandleStore {
 public:
  static constexpr int kRecent = 500;  ///< candles in one answer

  /// A file or `:memory:`; missing tables are created.
  explicit CandleStore(const std::string& path);
  ~CandleStore();

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
  /// Runs `action` under the lock; `operation` is its name in a SqliteError.
  template <class Action>
  auto locked(std::string_view operation, Action action);

  const std::string path_;
  std::mutex mutex_;
  std::unique_ptr<SQLite::Database> database_;  // guarded by mutex_
};

}  // namespace trading
