#include "candle_store.hpp"

#include <algorithm>

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>
#include <fmt/format.h>

namespace trading {
namespace {

constexpr int kBusyTimeoutMilliseconds = 2000;

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

constexpr const char* kInsertCandle = "INSERT OR REPLACE INTO candles VALUES(?, ?, ?, ?, ?, ?, ?, ?)";

void execute(SQLite::Statement& insert, const std::string& symbol, const std::string& interval, const Candle& candle) {
  insert.reset();
  SQLite::bind(insert, symbol, interval, candle.open_time, candle.open, candle.high, candle.low, candle.close,
               candle.volume);
  insert.exec();
}

}  // namespace

template <class Action>
auto CandleStore::locked(std::string_view operation, Action action) {
  const std::lock_guard lock{mutex_};
  try {
    return action();
  } catch (const SQLite::Exception& error) {
    throw SqliteError(fmt::format("sqlite: {}: {} (database {})", operation, error.what(), path_));
  }
}

CandleStore::CandleStore(const std::string& path) : path_(path) {
  locked("open", [&] {
    database_ = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                                                   kBusyTimeoutMilliseconds);
    database_->exec(kSchema);
  });
}

CandleStore::~CandleStore() = default;

void CandleStore::replace_series(const std::string& symbol, const std::string& interval,
                                 std::span<const Candle> candles) {
  locked(fmt::format("replace the candles of {} {}", symbol, interval), [&] {
    SQLite::Transaction transaction{*database_, SQLite::TransactionBehavior::IMMEDIATE};
    SQLite::Statement remove{*database_, "DELETE FROM candles WHERE symbol = ? AND interval = ?"};
    SQLite::bind(remove, symbol, interval);
    remove.exec();
    SQLite::Statement insert{*database_, kInsertCandle};
    for (const auto& candle : candles) execute(insert, symbol, interval, candle);
    transaction.commit();
  });
}

void CandleStore::insert(const std::string& symbol, const std::string& interval, const Candle& candle) {
  locked(fmt::format("insert a candle of {} {}", symbol, interval), [&] {
    SQLite::Statement insert{*database_, kInsertCandle};
    execute(insert, symbol, interval, candle);
  });
}

std::vector<Candle> CandleStore::recent_candles(const std::string& symbol, const std::string& interval, int limit) {
  return locked(fmt::format("read the candles of {} {}", symbol, interval), [&] {
    SQLite::Statement select{*database_,
                             "SELECT open_time, open, high, low, close, volume FROM candles "
                             "WHERE symbol = ? AND interval = ? ORDER BY open_time DESC LIMIT ?"};
    SQLite::bind(select, symbol, interval, limit);
    std::vector<Candle> candles;
    while (select.executeStep()) candles.push_back(select.getColumns<Candle, 6>());
    std::reverse(candles.begin(), candles.end());
    return candles;
  });
}

void CandleStore::save_preferences(const Preferences& preferences) {
  locked(fmt::format("save the preferences of user {}", preferences.user_id), [&] {
    SQLite::Statement insert{*database_, "INSERT OR REPLACE INTO preferences VALUES(?, ?, ?, ?)"};
    SQLite::bind(insert, preferences.user_id, preferences.theme, preferences.currency, preferences.favourite);
    insert.exec();
  });
}

Preferences CandleStore::preferences(int user_id) {
  return locked(fmt::format("read the preferences of user {}", user_id), [&] {
    SQLite::Statement select{*database_,
                             "SELECT user_id, theme, currency, favourite FROM preferences WHERE user_id = ?"};
    select.bind(1, user_id);
    if (!select.executeStep()) throw std::out_of_range(fmt::format("no preferences of user {}", user_id));
    return select.getColumns<Preferences, 4>();
  });
}

}  // namespace trading
