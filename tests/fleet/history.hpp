#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "board.hpp"
#include "plan.hpp"

namespace dsta::cache::fleet_model {

enum class Outcome : std::uint32_t { running, value, nothing, stored, not_stored, unknown, confirmed, pending, threw };

CellBits bits_of(const std::vector<std::size_t>& cells);
/// All cells of a kind; all there are.
CellBits bits_of_kind(std::size_t kind);
CellBits all_bits();
std::size_t first_of(const CellBits& cells);

/// Writes what this process's threads do to the board, each thread to a stream of its own; an event stands there while
/// it lasts, so that what hung or was killed is seen. Thread-safe.
class History {
 public:
  History(Board& board, std::size_t process) : board_(board), process_(process) {}

  Event& begin(Op operation, const CellBits& cells);
  static void end(Event& event, Outcome outcome, std::uint64_t version);
  /// The calling thread's stream.
  std::size_t stream();

  /// What concerned a cell until now, merged by time; of the window before `since` too.
  static std::string of_cell(const Board& board, std::size_t cell, std::int64_t since);

 private:
  Board& board_;
  const std::size_t process_;
};

/// Adds a finding with the history of its cell. The same title is counted and kept once.
void report(Board& board, std::size_t cell, std::int64_t since, const std::string& title, const std::string& details);

}  // namespace dsta::cache::fleet_model
