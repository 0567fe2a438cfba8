#pragma once
#include <atomic>
#include <memory>

#include "base/periodic_task.hpp"
#include "l2/topology/cluster.hpp"
#include "two_level/coherence.hpp"
#include "two_level/confirmations.hpp"
#include "two_level/context.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Follows the masters of a cluster: asks for the map of the slots every ping period, and soon after it was found to be
/// out of date; sees to it that each master has an invalidation channel; and asks each whether it is a master, and
/// whether it finds the cluster whole. Thread-safe.
class ClusterWatch {
 public:
  ClusterWatch(Context& context, Cluster& cluster, Coherence& coherence, Confirmations& confirmations);

  /// See PeriodicTask.
  void tend() { task_->tend(); }
  void stop() noexcept { task_->stop(); }
  void start() { task_->wake(); }
  /// In the child of a fork: a task in place of the one whose thread is missing. It begins with start().
  void replace_thread();
  /// The map may be out of date. Cheap.
  void hurry() noexcept;

 private:
  TimePoint step();
  /// True: all masters are what the map says.
  bool check_masters();

  Context& context_;
  Cluster& cluster_;
  Coherence& coherence_;
  Confirmations& confirmations_;
  std::atomic<TimePoint> last_{TimePoint{}};
  std::atomic<Duration> pause_;         ///< from one look to one that is hurried
  std::unique_ptr<PeriodicTask> task_;  ///< last: its thread uses the others
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
