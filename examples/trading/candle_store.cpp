#include "candle_store.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

namespace trading {
namespace {

constexpr const char* kSchema = R"sql(
  CREATE TABLE IF NOT EXISTS candles(
    symbol    TEXT    NOT NULL,
    interval  TEXT    NOT NULL,
    open_time INTEGER NOT NULL,
    open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
    PRIMARY KEY(symbol, interval, open_time)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS preferences(
    user_id INTEGER PRIMARY KEY, theme TEXT NOT NULL, currency TEXT NOT NULL, favourite TEXT NOT NULL
  );
)sql";

Database with_schema(const std::string& path) {
  Database database{path};
  database.execute(kSchema);
  return database;
}

}  // namespace

CandleStore::CandleStore(const std::string& path)
    : database_(with_schema(path)),
      insert_candle_(database_.prepare("INSERT OR REPLACE INTO candles VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")),
      delete_series_(database_.prepare("DELETE FROM candles WHERE symbol = ?1 AND interval = ?2")),
      select_recent_(database_.prepare("SELECT open_time, open, high, low, close, volume FROM candles "
                                       "WHERE symbol = ?1 AND interval = ?2 ORDER BY open_time DESC LIMIT ?3")),
      insert_preferences_(database_.prepare("INSERT OR REPLACE INTO preferences VALUES(?1, ?2, ?3, ?4)")),
      select_preferences_(database_.prepare("SELECT theme, currency, favourite FROM preferences WHERE user_id = ?1")) {}

void CandleStore::write(const std::string& symbol, const std::string& interval, const Candle& candle) {
  insert_candle_.start(symbol, interval, candle.open_time, candle.open, candle.high, candle.low, candle.close,
                       candle.volume);
  while (insert_candle_.next()) {
  }
}

void CandleStore::replace_series(const std::string& symbol, const std::string& interval,
                                 std::span<const Candle> candles) {
  const std::lock_guard lock{mutex_};
  Transaction transaction{database_};
  delete_series_.start(symbol, interval);
  while (delete_series_.next()) {
  }
  for (const auto& candle : candles) write(symbol, interval, candle);
  transaction.commit();
}

void CandleStore::insert(const std::string& symbol, const std::string& interval, const Candle& candle) {
  const std::lock_guard lock{mutex_};
  write(symbol, interval, candle);
}

std::vector<Candle> CandleStore::recent_candles(const std::string& symbol, const std::string& interval, int limit) {
  const std::lock_guard lock{mutex_};
  std::vector<Candle> candles;
  auto& row = select_recent_.start(symbol, interval, limit);
  while (row.next()) {
    candles.push_back({row.integer(0), row.real(1), row.real(2), row.real(3), row.real(4), row.real(5)});
  }
  std::reverse(candles.begin(), candles.end());
  return candles;
}

void CandleStore::save_preferences(const Preferences& preferences) {
  const std::lock_guard lock{mutex_};
  insert_preferences_.start(preferences.user_id, preferences.theme, preferences.currency, preferences.favourite);
  while (insert_preferences_.next()) {
  }
}

Preferences CandleStore::preferences(int user_id) {
  const std::lock_guard lock{mutex_};
  std::optional<Preferences> found;
  auto& row = select_preferences_.start(user_id);
  while (row.next()) found = Preferences{user_id, row.text(0), row.text(1), row.text(2)};
  if (!found) throw std::out_of_range(fmt::format("no preferences of user {}", user_id));
  return *found;
}

}  // namespace trading
