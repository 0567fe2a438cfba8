#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>

/// What the processes of a fleet share: the sources of all values, what each reader may see, what happened, what is
/// wrong. It lies in a mapped file (or on the heap, for one process) and is zero at the beginning. There is no lock in
/// it, since a process may be stopped or killed at any place.
namespace dsta::cache::fleet_model {

/// The last of the processes is the coordinator.
inline constexpr std::size_t kProcesses = 5, kCoordinator = 4, kCells = 128, kStreams = 24, kEvents = 2048;

using Count = std::atomic<std::uint64_t>;
/// Nanoseconds of the machine's monotonic clock; 0: never.
using Moment = std::atomic<std::int64_t>;
static_assert(Count::is_always_lock_free, "a lock would not reach other processes");

inline std::int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}
inline constexpr std::int64_t kMs = 1'000'000;

inline void raise(Moment& moment, std::int64_t to) {
  for (std::int64_t was = moment; was < to && !moment.compare_exchange_weak(was, to);) {
  }
}

/// From `at` on no reader sees a version below `version`; of readers elsewhere only those that must know of it.
struct Floor {
  /// `tag` and `clear` are known to processes that hold a value for themselves alone.
  enum Reach : std::uint64_t { own, fleet, tag, clear };
  Moment at, begun;
  Count version, process, reach;
};

/// A `set` or `put` of a version: what it stores may be seen from `begun`; what began after `ended` replaces it.
struct Write {
  static constexpr std::int64_t kOpen = INT64_MAX;
  Count version;
  Moment begun, ended;  ///< kOpen: its outcome is unknown, or it is under way
  Count refused;        ///< certainly not stored
};

struct Load {
  Moment started, ended;
  Count version, process, kind;
};

/// One key: a function's for an argument, or a manual one.
struct Cell {
  static constexpr std::size_t kFloors = 64, kWrites = 256, kLoads = 512;
  /// The version of the source. Bumped before what makes it known: an invalidation, a write.
  Count source;
  /// When something last removed or replaced the value, began to or ended.
  Moment changed, removed;
  /// Changes of it under way, by process; and how often one began or ended.
  std::array<std::atomic<std::int64_t>, kProcesses> changing;
  Count changes;
  Count next_floor, next_load;
  std::array<Floor, kFloors> floors;
  std::array<Write, kWrites> writes;
  std::array<Load, kLoads> loads;
  /// When the value was last seen to be stored so that it should still be there.
  Moment stored;
  /// Counters: confirmed increments since the change of that number (`changes` << 32 | increments); all that ever
  /// began.
  Count counted;
  Count begun_increments;
};

/// Cells, one bit each.
using CellBits = std::array<std::uint64_t, kCells / 64>;

/// What a thread did, and the cells that it concerned.
struct Event {
  Moment begun, ended;
  std::atomic<std::uint32_t> operation, outcome;
  std::array<Count, kCells / 64> cells;
  Count version;

  bool concerns(std::size_t cell) const { return (cells[cell / 64] >> cell % 64 & 1) != 0; }
};
struct Stream {
  Count next;
  std::array<Event, kEvents> events;
};

struct Finding {
  Count ready;
  std::array<char, 120> title;
  std::array<char, 12000> text;
};

struct Board {
  static constexpr std::size_t kFindings = 24;

  std::int64_t beginning;  ///< set before the first process starts
  std::uint64_t seed;
  std::array<Cell, kCells> cells;
  std::array<std::array<Stream, kStreams>, kProcesses> streams;
  std::array<Count, kProcesses> streams_used;

  // Steps, set by the coordinator: 1 work, 2 hold, 3 a task, 4 end.
  Count step;
  Count ready;                            ///< processes with a manager
  std::array<Count, kProcesses> holding;  ///< threads that hold
  Count task, task_process, task_number, task_done;
  std::array<std::array<Count, kCells>, kProcesses> seen;  ///< stamps at a quiet point

  // Faults. `generation` is odd while one lasts.
  Moment fault_begun, fault_ended;
  Count fault, fault_generation;
  std::array<Count, kProcesses> interrupted;  ///< how often a process was stopped or killed
  Moment killed;                              ///< when a process was killed last
  /// How long a thread that slept had to wait for a processor lately, and when.
  Moment lag, lag_at;

  // Threads at work: since when each is in a call.
  std::array<std::array<Moment, kStreams>, kProcesses> busy;

  /// A cell that everybody looks at for a moment: what goes wrong mostly does so where several meet.
  Count hot;
  Count operations, hits, loads_begun;
  Count findings, findings_all;
  std::array<Finding, kFindings> finding;
};

}  // namespace dsta::cache::fleet_model
