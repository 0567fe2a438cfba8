#include "steps.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "history.hpp"
#include "kinds.hpp"
#include "oracle.hpp"
#include "stamp.hpp"

namespace dsta::cache::fleet_model {

using namespace std::chrono_literals;

bool until(const std::function<bool()>& holds, std::int64_t milliseconds) {
  const std::int64_t deadline = now() + milliseconds * kMs;
  while (!holds()) {
    if (now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

bool Steps::started() const {
  if (until([&] { return board_.ready >= processes_; }, 30'000)) return true;
  report(board_, 0, now(), "a process does not start", "");
  return false;
}

bool Steps::hold() {
  board_.step = 2;
  const auto all = [&] {
    meanwhile();
    for (std::size_t i = 0; i < processes_; ++i) {
      if (board_.holding[i] < threads_) return false;
    }
    return true;
  };
  if (until(all, 20'000)) return true;
  report(board_, 0, now(), "a thread does not come back", "");
  return false;
}

void Steps::ask(std::size_t process, Task task) {
  board_.task = static_cast<std::uint64_t>(task);
  board_.task_process = process;
  const std::uint64_t number = board_.task_number + 1;
  board_.task_number = number;
  board_.step = 3;
  if (!until([&] { return meanwhile(), board_.task_done >= number; }, 20'000))
    report(board_, 0, now(), "a quiet point does not end", "task " + std::to_string(static_cast<int>(task)));
  board_.step = 2;
}

void Steps::quiet_point(const std::function<std::size_t()>& one, const std::function<bool()>& over) {
  const auto ask_all = [&](Task task) {
    for (std::size_t i = 0; i < processes_ && !over(); ++i) ask(i, task);
  };
  const auto ask_one = [&](Task task) {
    if (!over()) ask(one(), task);
  };
  ask_all(Task::quiesce);
  std::this_thread::sleep_for(std::chrono::nanoseconds(Oracle::kReportDelay));
  look_for_loads();
  ask_all(Task::presence);
  ask_all(Task::read_all);
  ask_all(Task::read_all);
  if (!over()) compare();
  ask_one(Task::drift);
  ask_one(Task::freshness);
  ask_one(Task::flush);
  ask_one(Task::cold);
}

/// Loads whose callers had a load_timeout may outlast them, the longest by 800 ms.
void Steps::look_for_loads() {
  const auto goes_on = [](const Load& load) { return load.started != 0 && load.ended == 0; };
  const auto any = [&](const Cell& cell) { return std::ranges::any_of(cell.loads, goes_on); };
  if (until([&] { return std::ranges::none_of(board_.cells, any); }, 2000)) return;
  for (std::size_t i = 0; i < cells(); ++i) {
    for (const Load& load : board_.cells[i].loads) {
      if (goes_on(load)) report(board_, i, load.started, "a load goes on", "");
    }
  }
}

void Steps::compare() {
  for (std::size_t cell = 0; cell < cells(); ++cell) {
    const Kind& kind = kind_of(cell);
    if (!kind.kept || kind.level == Level::l1) continue;
    std::uint64_t first = 0;
    for (std::size_t process = 0; process < processes_; ++process) {
      const std::uint64_t word = board_.seen[process][cell];
      if (word == 0) continue;
      if (first == 0) first = word;
      if (word == first) continue;
      const auto version = [](std::uint64_t packed) {
        return std::to_string(Stamp::unpack(packed).value_or(Stamp{}).version);
      };
      report(board_, cell, now(), "processes disagree",
             "one has v" + version(first) + ", p" + std::to_string(process) + " v" + version(word));
      break;
    }
  }
}

}  // namespace dsta::cache::fleet_model
