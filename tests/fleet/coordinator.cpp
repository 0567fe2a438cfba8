#include "coordinator.hpp"

#include <chrono>
#include <csignal>
#include <thread>

#include "faults.hpp"
#include "history.hpp"
#include "kinds.hpp"

namespace dsta::cache::fleet_model {
namespace {

using namespace std::chrono_literals;

/// A call that takes longer hangs.
constexpr std::int64_t kHung = 12'000 * kMs;

}  // namespace

Coordinator::Coordinator(const Plan& plan, Board& board, std::string worker, std::string directory)
    : plan_(plan),
      board_(board),
      worker_(std::move(worker)),
      directory_(std::move(directory)),
      random_(board.seed),
      steps_(board, plan.processes, plan.threads),
      children_(plan.processes) {
  for (std::size_t i = 0; i < plan.processes; ++i) start(i);
  steps_.meanwhile = [this] { watch(); };
}

Coordinator::~Coordinator() {
  steps_.end();
  for (auto& child : children_) {
    if (child && !child->wait_for_end(10s)) report(board_, 0, now(), "a process does not end", "");
  }
}

void Coordinator::start(std::size_t process) {
  const bool l1 = plan_.l1 == "on" || (plan_.l1 == "mixed" && process % 2 == 0);
  const std::string url = server_.url() + (plan_.apart ? "?space=p" + std::to_string(process) : "");
  children_[process].emplace(worker_,
                             std::vector<std::string>{"fleet_model_worker", directory_ + "/board",
                                                      std::to_string(process), url, l1 ? "on" : "off"},
                             directory_ + "/log");
}

bool Coordinator::over() const { return board_.findings > 0 && !plan_.go_on; }

void Coordinator::run() {
  if (!steps_.started()) return;
  const std::int64_t end = now() + std::chrono::nanoseconds(plan_.seconds).count();
  // Every other round without faults: they excuse much.
  for (std::uint64_t count = 0; now() < end && !over(); ++count) {
    round(1000 + static_cast<std::int64_t>(random_() % 500), count % 2 == 1 && !plan_.faults.empty());
    if (!steps_.hold()) return;
    steps_.quiet_point([this] { return random_() % plan_.processes; }, [this] { return over(); });
  }
}

void Coordinator::round(std::int64_t milliseconds, bool with_faults) {
  steps_.work();
  const std::int64_t end = now() + milliseconds * kMs;
  Faults faults(board_, server_, *this);
  while (now() < end && !over()) {
    std::this_thread::sleep_for(10ms);
    watch();
    if (random_() % 8 == 0) steps_.look_at(plan_.draw_cell(random_));
    if (!with_faults) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 200));
    faults.happen(plan_.faults[random_() % plan_.faults.size()], random_);
  }
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
      std::size_t cell = 0;
      while (cell + 1 < cells() && !event.concerns(cell)) ++cell;
      report(board_, cell, since, "a call hangs", "p" + std::to_string(process) + "." + std::to_string(stream));
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

/// Killed, and started again: its loads and calls are over, what it did not confirm is lost, and what it knew of that
/// with it.
void Coordinator::replace(std::size_t process, const std::function<void()>& meanwhile) {
  const std::uint64_t ready = board_.ready;
  children_[process].reset();
  board_.killed = now();
  meanwhile();
  for (Cell& cell : board_.cells) {
    cell.changing[process] = 0;
    for (Floor& floor : cell.floors) {
      if (floor.process == process && floor.reach == Floor::own) floor.at = 0;
    }
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
