#include "history.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <vector>

#include "faults.hpp"
#include "kinds.hpp"

namespace dsta::cache::fleet_model {
namespace {

constexpr std::int64_t kWindow = 700 * kMs;
constexpr std::size_t kLines = 70;

struct Line {
  std::int64_t begun, ended;
  std::string text;
};

std::string_view outcome_name(std::uint32_t outcome) {
  constexpr std::string_view kNames[] = {"…",       "value",     "nothing", "stored", "not_stored",
                                         "unknown", "confirmed", "pending", "threw"};
  return outcome < std::size(kNames) ? kNames[outcome] : "?";
}

std::string text_of(const Board& board, const Event& event, std::size_t process, std::size_t stream) {
  const std::int64_t begun = event.begun, ended = event.ended;
  const auto ms = [&](std::int64_t at) { return static_cast<double>(at - board.beginning) / 1e6; };
  char line[200];
  const auto operation = static_cast<Op>(event.operation.load());
  const auto faults = Faults::names();
  const bool known_fault = operation == Op::fault && event.version < faults.size();
  const std::string name = known_fault ? "! " + faults[event.version] : std::string(name_of(operation));
  const auto outcome = outcome_name(event.outcome);
  int several = -1;
  for (const auto& word : event.cells) several += std::popcount(word.load());
  char until[32] = "…";
  if (ended != 0) std::snprintf(until, sizeof until, "%.3f", ms(ended));
  std::snprintf(line, sizeof line, "%10.3f to %-10s p%zu.%-2zu %-11.*s %s%-10.*s v%llu", ms(begun), until, process,
                stream, static_cast<int>(name.size()), name.data(), several > 0 ? "(several) " : "",
                static_cast<int>(outcome.size()), outcome.data(), static_cast<unsigned long long>(event.version));
  return line;
}

}  // namespace

std::size_t History::stream() {
  // An executor's threads come and go with their manager, so more threads than streams share them.
  thread_local const std::size_t mine = board_.streams_used[process_]++ % kStreams;
  return mine;
}

CellBits bits_of(const std::vector<std::size_t>& cells) {
  CellBits bits{};
  for (const std::size_t cell : cells) bits[cell / 64] |= std::uint64_t{1} << cell % 64;
  return bits;
}
CellBits bits_of_kind(std::size_t kind) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < kArguments; ++i) all.push_back(cell_of(kind, i));
  return bits_of(all);
}
CellBits all_bits() {
  CellBits bits;
  bits.fill(~std::uint64_t{0});
  return bits;
}
std::size_t first_of(const CellBits& cells) {
  for (std::size_t i = 0; i < kCells; ++i) {
    if (cells[i / 64] >> i % 64 & 1) return i;
  }
  return 0;
}

Event& History::begin(Op operation, const CellBits& cells) {
  Stream& stream_here = board_.streams[process_][stream()];
  Event& event = stream_here.events[stream_here.next++ % kEvents];
  event.ended = 0;
  event.operation = static_cast<std::uint32_t>(operation);
  for (std::size_t i = 0; i < cells.size(); ++i) event.cells[i] = cells[i];
  event.outcome = 0;
  event.version = 0;
  event.begun = now();
  return event;
}

void History::end(Event& event, Outcome outcome, std::uint64_t version) {
  event.version = version;
  event.outcome = static_cast<std::uint32_t>(outcome);
  event.ended = now();
}

std::string History::of_cell(const Board& board, std::size_t cell, std::int64_t since) {
  std::vector<Line> lines;
  for (std::size_t process = 0; process < kProcesses; ++process) {
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      for (const Event& event : board.streams[process][stream].events) {
        const std::int64_t begun = event.begun, ended = event.ended;
        if (begun == 0 || (ended != 0 && ended < since - kWindow)) continue;
        if (!event.concerns(cell)) continue;
        lines.push_back({begun, ended, text_of(board, event, process, stream)});
      }
    }
  }
  std::ranges::sort(lines, {}, &Line::begun);
  // A value that is only read again and again says little; the end of the story says most.
  std::string text;
  const std::size_t skipped = lines.size() > kLines ? lines.size() - kLines : 0;
  if (skipped > 0) text += "    (" + std::to_string(skipped) + " earlier)\n";
  for (std::size_t i = skipped; i < lines.size(); ++i) text += "    " + lines[i].text + "\n";
  return text;
}

void report(Board& board, std::size_t cell, std::int64_t since, const std::string& title, const std::string& details) {
  ++board.findings_all;
  const std::string whole = title + " [" + std::string(kind_of(cell).name) + "]";
  const std::size_t known = std::min<std::size_t>(board.findings, Board::kFindings);
  for (std::size_t i = 0; i < known; ++i) {
    if (board.finding[i].ready && board.finding[i].title.data() == whole) return;
  }
  const std::size_t mine = board.findings++;
  if (mine >= Board::kFindings) return;
  Finding& finding = board.finding[mine];
  std::snprintf(finding.title.data(), finding.title.size(), "%s", whole.c_str());
  const std::string text = key_of(cell) + ": " + details + "\n" + History::of_cell(board, cell, since);
  std::snprintf(finding.text.data(), finding.text.size(), "%s", text.c_str());
  finding.ready = 1;
}

}  // namespace dsta::cache::fleet_model
