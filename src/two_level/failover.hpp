#pragma once
#include <memory>

#include "base/periodic_task.hpp"
#include "l2/topology/master_finder.hpp"
#include "l2/topology/sentinel_watch.hpp"
#include "l2/values/l2_store.hpp"
#include "two_level/confirmations.hpp"
#include "two_level/context.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Follows the master, where sentinels replace it: hears of another one, and asks the server now and then whether it is
/// still a master, in case nobody said so. Thread-safe.
class Failover {
 public:
  Failover(Context& context, L2Store& l2_store, Confirmations& confirmations, std::shared_ptr<MasterFinder> finder);

  /// See SentinelWatch and PeriodicTask.
  void tend() {
    watch_->tend();
    check_->tend();
  }
  /// No announcement is taken any more.
  void stop_listening() noexcept { watch_->stop(); }
  /// When the link is closed.
  void stop() noexcept { check_->stop(); }
  /// In the child of a fork: threads in place of those that are missing. They begin with start().
  void replace_threads();
  void start();

 private:
  bool is_current(const Address& master) const;
  void announced(const Address& master);
  TimePoint check_master();

  Context& context_;
  L2Store& l2_store_;
  Confirmations& confirmations_;
  const std::shared_ptr<MasterFinder> finder_;
  // Last: their threads use the others.
  std::unique_ptr<SentinelWatch> watch_;
  std::unique_ptr<PeriodicTask> check_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
