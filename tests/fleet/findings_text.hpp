#pragma once
#include <algorithm>
#include <string>

#include "board.hpp"

namespace dsta::cache::fleet_model {

/// What a run found, and how to run it again.
inline std::string findings_text(const Board& board) {
  std::string text = std::to_string(board.findings_all) + " findings with seed " + std::to_string(board.seed) +
                     "; again: FLEET_SEED=" + std::to_string(board.seed) +
                     " (each thread does the same operations; how they meet is left to chance). Columns: ms from, to, "
                     "process.thread, operation, outcome, version.\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(board.findings, Board::kFindings); ++i) {
    if (!board.finding[i].ready) continue;
    text += std::string("* ") + board.finding[i].title.data() + "\n  " + board.finding[i].text.data();
  }
  return text;
}

}  // namespace dsta::cache::fleet_model
