#include "coordinator.hpp"

#include <chrono>
#include <csignal>
#include <thread>

#include "faults.hpp"
#include "history.hpp"
#include "kinds.hpp"
#include "oracle.hpp"
#include "stamp.hpp"
#include "worker.hpp"

namespace dsta::cache::fleet_model {
namespace {

using namespace std::chrono_literals;

/// A call that takes longer hangs.
constexpr std::int64_t kHung = 12'000 * kMs;

template <class Condition>
bool until(Condition holds, std::int64_t milliseconds) {
  const std::int64_t deadline = now() + milliseconds * kMs;
  while (!holds()) {
    if (now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

}  // namespace

Coordinator::Coordinator(const Plan& plan, Board& board, std::string worker, std::string directory)
    : plan_(plan),
      board_(board),
      worker_(std::move(worker)),
      directory_(std::move(directory)),
      random_(board.seed),
      children_(plan.processes) {
  for (std::size_t i = 0; i < plan.processes; ++i) start(i);
  if (!until([&] { return board_.ready >= plan.processes; }, 20'000))
    report(board_, 0, now(), "a process does not start", "");
}

Coordinator::~Coordinator() {
  board_.step = 4;
  for (auto& child : children_) {
    if (child && !child->wait_for_end(10s)) report(board_, 0, now(), "a process does not end", "");
  }
}

void Coordinator::start(std::size_t process) {
  const bool l1 = plan_.l1 == "on" || (plan_.l1 == "mixed" && process % 2 == 0);
  children_[process].emplace(worker_,
                             std::vector<std::string>{"fleet_model_worker", directory_ + "/board",
                                                      std::to_string(process), server_.url(), l1 ? "on" : "off"},
                             directory_ + "/log");
}

bool Coordinator::over() const { return board_.findings > 0 && !plan_.go_on; }

void Coordinator::run() {
  const std::int64_t end = now() + std::chrono::nanoseconds(plan_.seconds).count();
  // Every other round without faults: they excuse much.
  for (std::uint64_t count = 0; now() < end && !over(); ++count) {
    round(1000 + static_cast<std::int64_t>(random_() % 500), count % 2 == 1 && !plan_.faults.empty());
    if (!hold()) return;
    if (!over()) quiet_point();
  }
}

void Coordinator::round(std::int64_t milliseconds, bool with_faults) {
  board_.step = 1;
  const std::int64_t end = now() + milliseconds * kMs;
  Faults faults(board_, server_, *this);
  while (now() < end && !over()) {
    std::this_thread::sleep_for(10ms);
    watch();
    if (!with_faults) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 200));
    faults.happen(plan_.faults[random_() % plan_.faults.size()], random_);
  }
  board_.step = 2;
}

bool Coordinator::hold() {
  const auto all = [&] {
    watch();
    for (std::size_t i = 0; i < plan_.processes; ++i) {
      if (board_.holding[i] < plan_.threads) return false;
    }
    return true;
  };
  if (until(all, 20'000)) return true;
  report(board_, 0, now(), "a thread does not come back", "");
  return false;
}

/// Threads that have been in one call for too long, and processes that have ended.
void Coordinator::watch() {
  for (std::size_t process = 0; process < plan_.processes; ++process) {
    if (children_[process] && !children_[process]->running())
      report(board_, 0, now(), "a process has ended by itself", "p" + std::to_string(process));
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      const std::int64_t since = board_.busy[process][stream];
      if (since == 0 || now() - since < kHung) continue;
      const Stream& events = board_.streams[process][stream];
      const Event& event = events.events[(events.next - 1) % kEvents];
      report(board_, event.first, since, "a call hangs", "p" + std::to_string(process) + "." + std::to_string(stream));
    }
  }
}

void Coordinator::ask(std::size_t process, std::uint64_t task, std::uint64_t argument) {
  board_.task = task;
  board_.task_process = process;
  board_.task_argument = argument;
  const std::uint64_t number = board_.task_number + 1;
  board_.task_number = number;
  board_.step = 3;
  if (!until([&] { return watch(), board_.task_done >= number; }, 20'000))
    report(board_, 0, now(), "a quiet point does not end", "task " + std::to_string(task));
  board_.step = 2;
}

void Coordinator::quiet_point() {
  const auto ask_all = [&](Task task) {
    for (std::size_t i = 0; i < plan_.processes && !over(); ++i) ask(i, static_cast<std::uint64_t>(task));
  };
  const auto one = [&] { return random_() % plan_.processes; };
  ask_all(Task::settle);
  std::this_thread::sleep_for(std::chrono::nanoseconds(Oracle::kHeard));
  for (std::size_t i = 0; i < cells(); ++i) {
    for (const Load& load : board_.cells[i].loads) {
      if (load.started != 0 && load.ended == 0 && !over()) report(board_, i, load.started, "a load goes on", "");
    }
  }
  ask_all(Task::presence);
  ask_all(Task::read_all);
  ask_all(Task::read_all);
  if (!over()) compare();
  for (const std::string_view name : {"soft", "stale"}) {
    for (std::size_t i = 0; i < kArguments; ++i) ++board_.cells[cell_of(kind_named(name), i)].source;
  }
  std::this_thread::sleep_for(170ms);
  if (!over()) ask(one(), static_cast<std::uint64_t>(Task::freshness));
  if (!over()) ask(one(), static_cast<std::uint64_t>(Task::flush));
  if (!over()) ask(one(), static_cast<std::uint64_t>(Task::cold));
}

/// All processes have the same of what is kept.
void Coordinator::compare() {
  for (const std::size_t kind : plan_.kinds) {
    if (!kinds()[kind].kept || kinds()[kind].level == Level::l1 || kinds()[kind].type == Kind::counter) continue;
    for (std::size_t i = 0; i < kArguments; ++i) {
      const std::size_t cell = cell_of(kind, i);
      std::uint64_t first = 0;
      for (std::size_t process = 0; process < plan_.processes; ++process) {
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
}

/// Stopped by SIGSTOP: its connections stay open, its threads do nothing.
void Coordinator::stop_for(std::size_t process, const std::function<void()>& meanwhile) {
  ++board_.interrupted[process];
  children_[process]->pause();
  meanwhile();
  ++board_.interrupted[process];
  children_[process]->resume();
}

/// Killed, and started again: its loads and calls are over, what it did not confirm is lost.
void Coordinator::replace(std::size_t process, const std::function<void()>& meanwhile) {
  const std::uint64_t ready = board_.ready;
  children_[process].reset();
  meanwhile();
  for (Cell& cell : board_.cells) {
    cell.changing[process] = 0;
    for (Load& load : cell.loads) {
      if (load.process == process && load.ended == 0) load.ended = now();
    }
  }
  for (Moment& busy : board_.busy[process]) busy = 0;
  board_.holding[process] = 0;
  start(process);
  if (!until([&] { return board_.ready > ready; }, 20'000)) report(board_, 0, now(), "a process does not start", "");
}

}  // namespace dsta::cache::fleet_model
