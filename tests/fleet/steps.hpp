#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

#include "board.hpp"

namespace dsta::cache::fleet_model {

/// What a process is asked at a quiet point.
enum class Task : std::uint64_t { quiesce, presence, read_all, drift, freshness, flush, cold };

/// Waits until `holds`, looking each millisecond; false when it took too long.
bool until(const std::function<bool()>& holds, std::int64_t milliseconds);

/// The steps of a run, as the side that directs it sees them. One thread.
class Steps {
 public:
  Steps(Board& board, std::size_t processes, std::size_t threads)
      : board_(board), processes_(processes), threads_(threads) {}

  /// Called while something is waited for.
  std::function<void()> meanwhile = [] {};

  bool started() const;
  void work() { board_.step = 1; }
  /// Chooses the cell that everybody looks at.
  void look_at(std::size_t cell) { board_.hot = cell; }
  /// All threads stop between two operations; false when one does not come back.
  bool hold();
  /// Has a process do a task while all hold.
  void ask(std::size_t process, Task task);
  void end() { board_.step = 4; }

  /// All that is asked at a quiet point: `one()` is the process for what only one does.
  void quiet_point(const std::function<std::size_t()>& one, const std::function<bool()>& over);

 private:
  void look_for_loads();
  /// All processes have the same of what is kept.
  void compare();

  Board& board_;
  const std::size_t processes_, threads_;
};

}  // namespace dsta::cache::fleet_model
