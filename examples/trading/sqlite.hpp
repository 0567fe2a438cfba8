// SQLite behind RAII: a database, its prepared statements, and a transaction that rolls back unless committed.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace trading {

/// what() names the operation, SQLite's own message and the database.
class SqliteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One thread at a time: callers who share a database share a lock, too.
class Statement {
 public:
  /// Back to the start, with these values for ?1, ?2, … (integers, doubles, text).
  template <class... Values>
  Statement& start(const Values&... values) {
    reset();
    int position = 0;
    (bind(++position, values), ...);
    return *this;
  }

  /// True while there is a row to read; after false the statement holds no lock.
  bool next();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* database, std::string_view sql);
  void reset();
  void bind(int position, std::int64_t value);
  void bind(int position, int value) { bind(position, std::int64_t{value}); }
  void bind(int position, double value);
  void bind(int position, std::string_view value);
  void bind(int position, const std::string& value) { bind(position, std::string_view{value}); }
  void check(int code, const char* operation) const;

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  /// A file (created if absent) or `:memory:`.
  explicit Database(const std::string& path);

  void execute(const char* sql);
  Statement prepare(std::string_view sql) { return {handle_.get(), sql}; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace trading
