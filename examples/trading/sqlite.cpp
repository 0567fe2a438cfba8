#include "sqlite.hpp"

#include <sqlite3.h>

#include <fmt/format.h>

namespace trading {
namespace {

constexpr int kBusyTimeoutMilliseconds = 2000;

std::string described(sqlite3* database, std::string_view operation) {
  const char* file = sqlite3_db_filename(database, "main");
  return fmt::format("sqlite: {}: {} (database {})", operation, sqlite3_errmsg(database),
                     file == nullptr || *file == '\0' ? ":memory:" : file);
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Statement::Statement(sqlite3* database, std::string_view sql) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
  check(code, "prepare");
}

void Statement::check(int code, const char* operation) const {
  if (code != SQLITE_OK) throw SqliteError(described(database_, operation));
}

void Statement::reset() {
  sqlite3_reset(statement_.get());  // repeats the last step's error, which next() has already thrown
  sqlite3_clear_bindings(statement_.get());
}

void Statement::bind(int position, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), position, value), "bind");
}

void Statement::bind(int position, double value) {
  check(sqlite3_bind_double(statement_.get(), position, value), "bind");
}

void Statement::bind(int position, std::string_view value) {
  check(sqlite3_bind_text(statement_.get(), position, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT),
        "bind");
}

bool Statement::next() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  const std::string problem = described(database_, "step");
  sqlite3_reset(statement_.get());
  throw SqliteError(problem);
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Database::Database(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  handle_.reset(handle);  // even a failed open has to be closed
  if (code != SQLITE_OK) {
    throw SqliteError(
        fmt::format("sqlite: open: {} (database {})", handle ? sqlite3_errmsg(handle) : "out of memory", path));
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMilliseconds);
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw SqliteError(described(handle_.get(), "execute"));
  }
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const SqliteError&) {
    // SQLite has rolled back by itself: after a full disk, for one.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace trading
