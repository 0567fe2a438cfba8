#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "board.hpp"
#include "history.hpp"
#include "kinds.hpp"
#include "stamp.hpp"

namespace dsta::cache::fleet_model {

/// Knows what a reader of this process may see. Thread-safe.
///
/// Idea: what makes a value out of date first bumps its source's version and then calls the library. When the call
/// returned and is confirmed it raises a floor: a version, and when. So does a refresh. A load carries the version that
/// it read at the source. So a version below a floor that was raised before a reader began was read before the
/// invalidation, and must not be seen. A written version (`set`, `put`) was stored some time between call and return,
/// so a floor says something of it only when the write had ended before the invalidation began.
///
/// What is allowed, and why:
/// - another process's in-process level may be late by kReportDelay (coherence.md: it is notified of a change a moment
/// after it);
///   by two ping periods more when a fault may have cut the channel silently ("noticed within two ping periods");
/// - the time that threads of this machine lately waited for a processor is added to that;
/// - a confirmed floor needs the server's confirmation; before that only the process that invalidated must obey it.
class Oracle {
 public:
  static constexpr std::int64_t kReportDelay = 300 * kMs, kPing = 200 * kMs;

  /// `pending`: how many invalidations of this process are not confirmed.
  Oracle(Board& board, std::size_t process, bool l1, std::function<std::uint64_t()> pending)
      : board_(board), process_(process), l1_(l1), pending_(std::move(pending)) {}

  struct Reader {
    std::size_t cell;
    std::int64_t begun;
    bool strict;  ///< no in-process level takes part
  };
  Reader reader(std::size_t cell, bool at_server = false) const;
  /// Checks what a reader got.
  void saw(const Reader& reader, const std::optional<Stamp>& stamp, bool empty = false);
  /// Checks what a refresh returned that was asked for at `begun` (milliseconds of the run).
  void refreshed(const Reader& reader, const std::optional<Stamp>& stamp, std::uint64_t begun);
  /// Checks how long a call took; `own`: what its own loads took.
  void took(const Reader& reader, std::int64_t own);
  /// That what was stored since `begun` must be there, as far as anybody knows.
  bool must_be_there(std::size_t cell, std::int64_t begun) const;
  void wrong(std::size_t cell, std::int64_t since, const std::string& title, const std::string& details) const;

  /// Returns the load's number, for end_load.
  std::size_t begin_load(std::size_t cell, std::uint64_t version, std::int64_t started = now());
  void end_load(std::size_t cell, std::size_t number);

  /// A change of some cells, from before the library is called to after it returned.
  class Change {
   public:
    enum What { removal, write, refresh, expiry };
    Change(Oracle& oracle, What what, std::vector<std::size_t> cells, Floor::Reach reach = Floor::fleet);
    std::uint64_t version(std::size_t i = 0) const { return versions_[i]; }
    Stamp stamp(std::size_t i = 0) const;
    /// A refresh brought this version, and no fault kept it from being stored: an older load must not replace it.
    void brought(std::uint64_t version) {
      versions_[0] = version;
      makes_known_ = true;
    }
    /// A removal or refresh returned.
    /// Whether the server has confirmed it.
    bool done();
    /// Write `i` returned; afterwards done().
    void stored(std::size_t i, int status);

   private:
    friend class Oracle;
    void raise_floors(Floor::Reach reach) const;
    void complete() const;
    Oracle* oracle_;
    What what_;
    std::vector<std::size_t> cells_;
    std::vector<std::uint64_t> versions_;
    std::vector<int> statuses_;
    Floor::Reach reach_;
    std::int64_t begun_;
    bool makes_known_ = what_ == removal || what_ == write;
  };
  /// Raises the floors of changes that are confirmed by now.
  void confirm();

  /// Whether a fault may have had effects since `since`.
  bool faulty(std::int64_t since) const;
  std::int64_t lag() const;
  std::uint64_t milliseconds() const { return static_cast<std::uint64_t>((now() - board_.beginning) / kMs); }

 private:
  bool enforced(const Floor& floor, const Reader& reader) const;
  /// Whether a written value may have been stored after what raised the floor.
  bool crossed(const Cell& cell, const Stamp& stamp, const Floor& floor) const;
  void check_floors(const Reader& reader, const Stamp& stamp);
  void check_empty(const Reader& reader);
  void check_age(const Reader& reader, const Stamp& stamp);
  void check_limit(std::size_t cell, const Load& mine) const;
  void check_double_load(std::size_t cell, const Load& mine) const;
  Cell& cell(std::size_t i) const { return board_.cells[i]; }

  Board& board_;
  const std::size_t process_;
  const bool l1_;
  const std::function<std::uint64_t()> pending_;
  std::mutex mutex_;
  std::vector<Change> unconfirmed_;  // under mutex_
};

/// Changes of this cell under way, in any process.
bool changing(const Cell& cell);

}  // namespace dsta::cache::fleet_model
