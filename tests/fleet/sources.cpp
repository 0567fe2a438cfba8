#include <chrono>
#include <random>
#include <thread>

#include "subjects.hpp"

namespace dsta::cache::fleet_model {
namespace {

thread_local std::int64_t own_time_here = 0;
thread_local std::uint64_t own_loads_here = 0;

std::uint64_t draw() {
  thread_local std::mt19937_64 random(std::random_device{}());
  return random();
}

}  // namespace

void Sources::reset() { own_time_here = 0, own_loads_here = 0; }
std::int64_t Sources::own_time() { return own_time_here; }
std::uint64_t Sources::own_loads() { return own_loads_here; }

/// Mostly short, so that much happens; now and then so long that whatever waits for it in vain is seen to.
void Sources::take_time(bool may_be_slow) const {
  using namespace std::chrono_literals;
  const std::uint64_t kind = draw() % 100;
  if (may_be_slow && kind == 0 && !hurry) {
    std::this_thread::sleep_for(800ms);
  } else if (kind < 6) {
    std::this_thread::sleep_for(60ms);
  } else if (kind < 60) {
    std::this_thread::sleep_for(std::chrono::microseconds(draw() % 8000));
  }
}

Stamp Sources::load(std::size_t cell, std::int64_t entered) { return load(std::vector{cell}, entered).front(); }

std::vector<Stamp> Sources::load(const std::vector<std::size_t>& cells, std::int64_t entered) {
  const std::int64_t begun = now();
  Event& event = history_.begin(Op::load, bits_of(cells));
  std::vector<Stamp> stamps;
  std::vector<std::size_t> numbers;
  for (const std::size_t cell : cells) {
    stamps.push_back({cell, version(cell), Stamp::loaded, oracle_.milliseconds()});
    numbers.push_back(oracle_.begin_load(cell, stamps.back().version, entered));
  }
  const Kind& kind = kind_of(cells.front());
  take_time(kind.slow);
  const bool fails = kind.fails && draw() % 4 == 0;
  for (std::size_t i = 0; i < cells.size(); ++i) oracle_.end_load(cells[i], numbers[i]);
  History::end(event, fails ? Outcome::threw : Outcome::value, stamps.front().version);
  own_time_here += now() - begun;
  own_loads_here += cells.size();
  if (fails) throw SourceDown();
  return stamps;
}

}  // namespace dsta::cache::fleet_model
