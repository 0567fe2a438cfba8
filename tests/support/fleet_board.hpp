#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace dsta::cache::testing_support {

/// What the processes of a fleet share. Lives in a mapped file; zero at the beginning. Thread-safe, process-safe.
struct FleetBoard {
  using Count = std::atomic<std::uint64_t>;
  static_assert(Count::is_always_lock_free, "a lock would not reach other processes");

  // The steps of a run, set by the test unless said otherwise.
  Count ready;     // workers count themselves
  Count go;        // workers begin
  Count stop;      // workers end their work
  Count compare;   // workers compare with the server
  Count finished;  // workers count themselves

  // What came of it.
  Count loads;     // loader runs
  Count failures;  // answers that are wrong whatever happened
  Count operations, hits;

  // Of forced interleavings: a worker loads in a round, the test invalidates in the middle.
  Count round;    // the test begins it
  Count reading;  // the worker's loader has read the source
  Count source;   // the version that loaders read
  Count release;  // the loader may return
  Count done;     // the worker has looked, or has found its channel up
  Count stale;    // old values that it saw when that was not allowed any more
  Count late;     // rounds in which it saw the old value at first (two levels)

  // Of traffic: each key has one writer.
  static constexpr std::size_t kKeys = 1000, kHistory = 64, kBuckets = 40;
  std::array<Count, kKeys> begun, acknowledged;
  /// When a write was acknowledged, by its number modulo kHistory; 0: not yet, or it never was.
  std::array<std::array<std::atomic<std::int64_t>, kHistory>, kKeys> acknowledged_at;
  /// Reads by how old what they saw was, in powers of two of microseconds; the first: not at all.
  std::array<Count, kBuckets> staleness;
  Count worst_staleness;  // microseconds
  Count disagreements;    // keys that a worker holds otherwise than the server
};

/// The machine's monotonic clock, the same for all processes, in nanoseconds.
inline std::int64_t shared_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace dsta::cache::testing_support
