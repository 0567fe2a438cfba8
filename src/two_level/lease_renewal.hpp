#pragma once
#include <memory>

#include "base/periodic_task.hpp"
#include "l2/values/l2_store.hpp"
#include "two_level/leases.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The leases of this process, and the periodic task that renews those that are held and gives back those that ended.
/// Thread-safe.
class LeaseRenewal {
 public:
  /// `quiet`: see Coherence::quiet().
  LeaseRenewal(L2Store& l2_store, Mutex& quiet);

  const std::shared_ptr<Leases>& leases() const noexcept { return leases_; }
  /// At the end of a manager: other processes wait for the leases of loads that were broken off. Takes a quarter of the
  /// time limit at most; what the server does not take by then runs out.
  void give_back_all(Duration time_limit) noexcept;

  /// See PeriodicTask.
  void tend() { task_->tend(); }
  void stop() noexcept { task_->stop(); }
  /// At the beginning, and in the child of a fork: its parent's leases are not to be renewed here, and the task's
  /// thread is missing.
  void start();

 private:
  /// The step of the task.
  TimePoint renew();
  TimePoint renew(TimePoint now, TimePoint next);
  /// As many as there is time for; what is left is given back later.
  void give_back(std::span<const Leases::Record> ended, TimePoint end);

  L2Store& l2_store_;
  Mutex& quiet_;
  std::shared_ptr<Leases> leases_;
  std::unique_ptr<PeriodicTask> task_;  ///< last: it uses the others
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
