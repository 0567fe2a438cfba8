#include "faults.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "coordinator.hpp"
#include "kinds.hpp"

namespace dsta::cache::fleet_model {

std::vector<std::string> Faults::names() {
  return {"channel",    "connections", "pause_short", "pause_long", "memory", "scripts",
          "no_evalsha", "no_getrange", "no_time",     "stop",       "kill",   "flushdb"};
}

Faults::Faults(Board& board, testing_support::RedisServer& server, Coordinator& fleet)
    : board_(board), server_(server), fleet_(fleet), history_(board, kCoordinator) {}

void Faults::rest(std::int64_t milliseconds) const {
  const std::int64_t until = now() + milliseconds * kMs;
  while (now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

/// A right is missing for a while, from connections that are there as well.
void Faults::forbid(const std::string& command, std::int64_t milliseconds) {
  server_.command({"ACL", "SETUSER", "default", "-" + command});
  rest(milliseconds);
  server_.command({"ACL", "SETUSER", "default", "+" + command});
}

void Faults::mark() const {
  for (std::size_t i = 0; i < cells(); ++i) {
    Cell& cell = board_.cells[i];
    raise(cell.changed, now());
    raise(cell.removed, now());
    ++cell.changes;
  }
}

void Faults::happen(const std::string& name, std::mt19937_64& random) {
  const auto all = names();
  const auto number = static_cast<std::uint64_t>(std::ranges::find(all, name) - all.begin());
  Event& event = history_.begin(Op::fault, all_bits());
  event.version = number;
  board_.fault = number;
  board_.fault_begun = now();
  ++board_.fault_generation;
  mark();
  const std::size_t victim = random() % fleet_.processes();
  if (name == "channel") {
    server_.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  } else if (name == "connections") {
    server_.command({"CLIENT", "KILL", "TYPE", "pubsub"});
    server_.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  } else if (name == "pause_short" || name == "pause_long") {
    // The workers' socket_timeout is 300 ms.
    const std::int64_t length = name == "pause_short" ? 60 + static_cast<std::int64_t>(random() % 120) : 700;
    server_.command({"CLIENT", "PAUSE", std::to_string(length), "ALL"});
    rest(length);
  } else if (name == "memory") {
    server_.command({"CONFIG", "SET", "maxmemory", "1"});
    rest(300);
    server_.command({"CONFIG", "SET", "maxmemory", "0"});
  } else if (name == "scripts") {
    server_.command({"SCRIPT", "FLUSH"});
  } else if (name.starts_with("no_")) {
    forbid(name.substr(3), 300);
  } else if (name == "stop") {
    fleet_.stop_for(victim, [&] { rest(1500); });
  } else if (name == "kill") {
    fleet_.replace(victim, [&] { rest(50); });
  } else if (name == "flushdb") {
    server_.command({"FLUSHDB"});
  }
  mark();
  board_.fault_ended = now();
  ++board_.fault_generation;
  History::end(event, Outcome::value, number);
}

}  // namespace dsta::cache::fleet_model
