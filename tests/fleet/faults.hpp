#pragma once
#include <random>
#include <string>
#include <vector>

#include "board.hpp"
#include "history.hpp"
#include "redis_server.hpp"

namespace dsta::cache::fleet_model {

class Coordinator;

/// What goes wrong in a fleet: at the server, on the way to it, in a process. One thread.
class Faults {
 public:
  static std::vector<std::string> names();

  Faults(Board& board, testing_support::RedisServer& server, Coordinator& fleet);

  /// One fault from its beginning to its end; returns at once when the run ends.
  void happen(const std::string& name, std::mt19937_64& random);

 private:
  void rest(std::int64_t milliseconds) const;
  void forbid(const std::string& command, std::int64_t milliseconds);
  /// Nothing that was known of the keys before need hold.
  void mark() const;

  Board& board_;
  testing_support::RedisServer& server_;
  Coordinator& fleet_;
  History history_;
};

}  // namespace dsta::cache::fleet_model
