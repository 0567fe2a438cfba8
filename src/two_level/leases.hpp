#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "base/mutex.hpp"
#include "l2/values/l2_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Flight;
class LeaseHold;

/// The leases of this process: those it holds while it loads, renewed before they run out, and those it could not give
/// back at once because the server did not answer or refused. Thread-safe.
///
/// A record is allocated before its lease is taken. Holding and giving back only move it between lists, so no lease
/// stays behind for lack of memory.
class Leases {
 public:
  /// How long a lease lasts without being renewed: after a crash of its holder others wait at most so long.
  static constexpr std::chrono::seconds kLife{3};
  static constexpr std::chrono::seconds kRenewal{1};
  /// A load in the background that nobody waits for is renewed for its load_timeout, or for this long.
  static constexpr std::chrono::seconds kDeserted{30};

  struct Record {
    std::string name;  ///< of the entry
    std::string key;   ///< of the lease at the server; empty for a raw value's
    LeaseToken generation{};
    std::uint32_t order = 0;
    bool is_lease = true;  ///< false: a value that must not run out while its refresh is under way
    std::weak_ptr<Flight> flight = {};
    TimePoint deserted_after = TimePoint::max();
    TimePoint due = {};      ///< to be renewed, or to be given back
    TimePoint renewed = {};  ///< when that was last asked for
    TimePoint expires = {};  ///< of one to be given back: by then the server has forgotten it; max: not known yet
    bool asked = false;      ///< the server is being asked to take it back, which must not happen twice
    /// The server may execute the taking late, also after the giving back, so that is repeated until it expires: kLife
    /// after the server's first answer. Before that it may be stopped, with the taking among what it has not read.
    bool taken_late = false;
  };
  using Records = std::list<Record>;

  /// `wake` is called with the time at which something is to be done.
  explicit Leases(std::function<void(TimePoint)> wake) : wake_(std::move(wake)) {}

  /// Those to be renewed now; `next` is when something is to be done next. Those that nobody needs any more are left to
  /// run out.
  std::vector<Record> due(TimePoint now, TimePoint& next);
  /// Those that are held are due.
  void renew_all() noexcept;
  /// Those to be given back now. The server is to be asked, and then note_answer() to be called for each.
  std::vector<Record> to_give_back(TimePoint now, TimePoint& next);
  /// `given`: the server does not have it any more; else it is asked again. `answered`: the server did answer.
  void note_answer(const Record& record, bool given, bool answered);
  /// Of what was to be given back, some is being asked for. Waits until none is, or until `end`; false then.
  bool wait_for_answers(TimePoint end);
  /// The load of this process that holds the lease; null when none does.
  std::shared_ptr<Flight> flight_of(const LeaseToken& generation) const;
  /// The lease of this process that stands under the key at the server.
  std::optional<LeaseToken> held_under(std::string_view key) const;
  /// True for a lease of this process whose loads have ended.
  bool is_given_back(const LeaseToken& generation) const;

 private:
  friend class LeaseHold;
  void hold(Records& one);
  void release(Records::iterator record, Records& out) noexcept;
  void give_back(Records::iterator record) noexcept;
  void doubt(Records::iterator record) noexcept;

  static constexpr std::size_t kMost = 4096;
  const std::function<void(TimePoint)> wake_;
  mutable Mutex mutex_;
  std::condition_variable answered_;
  Records held_ DSTA_GUARDED_BY(mutex_);
  Records returned_ DSTA_GUARDED_BY(mutex_);
};

/// One lease while it is held. Gives it back at its end unless the server has dropped it already. One thread.
class LeaseHold {
 public:
  LeaseHold() = default;
  /// Holds nothing yet.
  LeaseHold(std::shared_ptr<Leases> leases, Leases::Record record);
  LeaseHold(LeaseHold&& other) noexcept { *this = std::move(other); }
  LeaseHold& operator=(LeaseHold&& other) noexcept;
  ~LeaseHold() { end(false); }

  /// Its lease may have been taken: from here on it is renewed.
  void begin();
  explicit operator bool() const { return held_; }
  /// There is a record that is not held yet.
  bool ready() const { return !own_.empty() && !held_; }
  /// The server has answered, and the lease is gone there: there is nothing to give back.
  void dropped() noexcept { end(true); }
  /// It is not known whether the lease was taken: the server may still do it. It is given back.
  void give_up() noexcept;
  /// What taking it came to: it is held, or else given up or dropped.
  void taken(const Done& done) noexcept {
    if (done.status == Done::unknown) return give_up();
    if (!done) dropped();
  }
  const Leases::Record& record() const { return *place_; }

 private:
  void end(bool dropped) noexcept;

  std::shared_ptr<Leases> leases_;
  Leases::Records own_;  ///< empty while held
  Leases::Records::iterator place_{};
  bool held_ = false;
};

/// A new name for a lease or a value, unlike any other in the world.
LeaseToken new_lease_token();

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
