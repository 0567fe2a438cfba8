#include <algorithm>
#include <chrono>
#include <thread>

#include "worker.hpp"

/// What must hold when nobody does anything: the coordinator asks one process after the other.
namespace dsta::cache::fleet_model {

using namespace std::chrono_literals;

/// A process that was killed while it refreshed leaves its lease for so long, and others leave the key alone.
constexpr std::int64_t kOrphan = 3000 * kMs + 1000 * kMs;

void Worker::do_task(Task task) {
  switch (task) {
    case Task::quiesce:
      return quiesce();
    case Task::presence:
      return look_whether_there();
    case Task::read_all:
      return read_all();
    case Task::drift:
      return drift();
    case Task::freshness:
      return freshness();
    case Task::flush: {
      Random random(board_.seed);
      return remove(Op::flush, 0, random);
    }
    case Task::cold:
      return cold();
  }
}

/// Faults are over: in bounded time nothing waits to be confirmed, and the in-process level is in use.
void Worker::quiesce() {
  const std::string key = "witness:" + std::to_string(process_);
  const std::int64_t begun = now(), patience = 6000 * kMs;
  const auto is_quiet = [&] {
    oracle_.confirm();
    if (cache_.get_stats().pending_invalidations > 0) return false;
    if (!l1_) return bool(cache_.set(key, 1));
    return cache_.set(key, 1) && cache_.lookup<int>(key).source == Source::l1;
  };
  while (!is_quiet() && now() - begun < patience) std::this_thread::sleep_for(5ms);
  if (now() - begun >= patience)
    oracle_.wrong(0, begun, "does not recover", std::to_string(cache_.get_stats().pending_invalidations) + " pending");
}

/// What was stored last and not removed since.
void Worker::look_whether_there() {
  for (const std::size_t kind : plan_.kinds) {
    for (std::size_t i = 0; i < kArguments; ++i) {
      const std::size_t cell = cell_of(kind, i);
      const Cell& known = board_.cells[cell];
      const std::int64_t stored = known.stored;
      if (!kinds()[kind].kept || kinds()[kind].level == Level::l1 || stored == 0 || changing(known)) continue;
      if (known.removed >= stored || board_.fault_ended >= stored || oracle_.faulty(stored)) continue;
      const bool there = subject(cell) ? subject(cell)->peek(i).has_value()
                                       : cache_.exists(key_of(cell), EntryOptions{.raw = kinds()[kind].raw});
      if (!there)
        oracle_.wrong(cell, stored, "what was stored last is not there", "asked in p" + std::to_string(process_));
    }
  }
}

/// Every key, as a caller sees it; the coordinator compares.
void Worker::read_all() {
  for (const std::size_t kind : plan_.kinds) {
    for (std::size_t i = 0; i < kArguments; ++i) {
      const std::size_t cell = cell_of(kind, i);
      board_.seen[process_][cell] = 0;
      if (kinds()[kind].type == Kind::counter) {
        read_counter(cell);
        continue;
      }
      guarded(Op::check, cell, [&](Outcome& outcome, std::uint64_t& version) {
        const auto reader = oracle_.reader(cell);
        Seen seen;
        if (subject(cell)) {
          seen = subject(cell)->call(i);
        } else {
          const auto found = cache_.get(key_of(cell), EntryOptions{.raw = kinds()[kind].raw});
          outcome = Outcome::nothing;
          if (!found) return;
          seen.stamp = stamp_of(*found);
        }
        oracle_.took(reader, Sources::own_time());
        oracle_.saw(reader, seen.stamp, seen.empty);
        version = seen.stamp ? seen.stamp->version : 0;
        outcome = Outcome::value;
        if (seen.stamp) board_.seen[process_][cell] = seen.stamp->packed();
      });
    }
  }
}

/// The sources of values that are served stale change without a word, and their ttls run out.
void Worker::drift() {
  std::int64_t longest = 0;
  for (std::size_t cell = 0; cell < cells(); ++cell) {
    if (kind_of(cell).stale_ms == 0) continue;
    ++board_.cells[cell].source;
    longest = std::max(longest, kind_of(cell).ttl_ms);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(longest + 20));
}

/// The sources were changed without a word, and ttls are over: a value with a soft_timeout is the new one at once, one
/// with stale_for after a refresh, which its first reader starts, at whatever level it was found.
void Worker::freshness() {
  for (const std::string_view name : {"soft", "stale"}) {
    const std::size_t kind = kind_named(name);
    if (std::ranges::find(plan_.kinds, kind) == plan_.kinds.end() || !subjects_[kind]) continue;
    for (std::size_t i = 0; i < kArguments; ++i) {
      const std::size_t cell = cell_of(kind, i);
      guarded(Op::check, cell, [&](Outcome& outcome, std::uint64_t& version) {
        const std::uint64_t latest = board_.cells[cell].source;
        const std::int64_t begun = now();
        Seen seen = subject(cell)->call(i);
        const auto is_latest = [&] { return seen.stamp && seen.stamp->version >= latest; };
        const std::int64_t killed = board_.killed;
        std::int64_t patience =
            std::max(name == "stale" ? begun + 400 * kMs : 0, killed == 0 ? 0 : killed + kOrphan + 400 * kMs);
        while (!is_latest() && now() < patience) {
          // A refresh that another process began before takes as long as its load.
          const auto goes_on = [](const Load& load) { return load.started != 0 && load.ended == 0; };
          if (name == "stale" && std::ranges::any_of(board_.cells[cell].loads, goes_on)) patience = now() + 400 * kMs;
          std::this_thread::sleep_for(10ms);
          seen = subject(cell)->call(i);
        }
        version = seen.stamp ? seen.stamp->version : 0;
        outcome = Outcome::value;
        if (is_latest()) return;
        oracle_.wrong(cell, begun, name == "soft" ? "soft_timeout does not hold" : "a stale value is not refreshed",
                      "v" + std::to_string(version) + " though the source says v" + std::to_string(latest));
      });
    }
  }
}

/// Everything was removed: each call loads, and waits for nobody. A lease that was left behind would take 3 s.
void Worker::cold() {
  for (const auto& each : subjects_) {
    const std::size_t kind = static_cast<std::size_t>(&each - subjects_.data());
    if (!each || std::ranges::find(plan_.kinds, kind) == plan_.kinds.end()) continue;
    for (std::size_t i = 0; i < kArguments; ++i) {
      const std::size_t cell = cell_of(kind, i);
      guarded(Op::check, cell, [&](Outcome& outcome, std::uint64_t& version) {
        const auto reader = oracle_.reader(cell);
        const Seen seen = each->call(i);
        if (now() - reader.begun - Sources::own_time() > 1000 * kMs + oracle_.lag())
          oracle_.wrong(cell, reader.begun, "a cold call waits", "a lease was left behind");
        oracle_.saw(reader, seen.stamp, seen.empty);
        version = seen.stamp ? seen.stamp->version : 0;
        outcome = Outcome::value;
      });
    }
  }
}

}  // namespace dsta::cache::fleet_model
