#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <dsta/cache/detail/load.hpp>

#include "l1/flight.hpp"
#include "l1/trust.hpp"
#include "load/lease_coordinator.hpp"
#include "load/load_limits.hpp"
#include "load/load_place.hpp"
#include "two_level/context.hpp"
#include "two_level/two_level.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Runs loads: on the calling thread or on the executor, within the limit of their prefix, between what the lease
/// coordinator does before and after. Thread-safe.
///
/// Invariant: every flight that is given to it lands, also when there is no memory, no room, or the manager closes.
/// Otherwise those who wait for it would wait for ever.
class LoadRunner {
 public:
  LoadRunner(Context& context, const L1Trust& trust, TwoLevel& levels, LeaseCoordinator& leases)
      : context_(context), trust_(trust), levels_(levels), leases_(leases) {}

  /// What owns this, and is kept alive by each load on the executor. Before the first one.
  void owned_by(std::weak_ptr<void> owner) { owner_ = std::move(owner); }

  void limit(const std::string& prefix, const LoadLimit& limit) { limits_.set(prefix, limit); }
  /// When the manager closes: no load waits for a place any longer. Returns the longest load_timeout of a load that was
  /// given to the executor.
  Duration stop_limiting() noexcept;

  /// See LeaseCoordinator.
  bool expects_miss(const LoadSpec& spec) const noexcept { return leases_.expects_miss(spec); }

  /// Runs the loader on this thread.
  void run_load(const std::shared_ptr<Flight>& flight, Loader& loader, LoadUrgency urgency) noexcept;
  void run_load(const Batch& batch, BatchLoader& loader, LoadUrgency urgency) noexcept;
  /// Runs it on the executor. False: no room, and the flights are abandoned.
  bool run_load_async(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader,
                      LoadUrgency urgency) noexcept;
  bool run_load_async(const Batch& batch, const std::shared_ptr<BatchLoader>& loader, LoadUrgency urgency) noexcept;
  /// Lands a flight whose loader never ran.
  void abandon(Flight& flight) noexcept { fail(flight, nullptr); }

 private:
  using RunLoader = std::function<std::vector<Loaded>(const OwnedLoads&)>;
  /// Abandons flights of a batch that loads others first: all who wait for them ask once more, the leader too.
  void defer(const Batch& batch) noexcept;

  void run_load(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run) noexcept;
  bool run_load_async(const Batch& batch, const LoadSpec& spec, std::function<void()> run);
  /// Acquires leases, loads what is owned, and waits for what is foreign, until all flights have landed.
  void acquire_and_load(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run);
  void load_alone(Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run, LoadPlace& place);
  /// Gets a place among the loads of the prefix. False: the flights have landed without one.
  bool enter(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place);
  /// Which loads run without a claim: those that got none at L2, or all that this process keeps for itself while it
  /// cannot learn what others invalidate.
  struct IsUnclaimed {
    bool with_l2, lags;
    bool operator()(const OwnedLoads& owned, std::size_t i) const {
      return with_l2 ? owned.claims[i].unclaimed() : lags;
    }
  };
  bool wait_for_landing(const Batch& waiting, const std::shared_ptr<Flight>& running, TimePoint limit);
  bool begin_unclaimed(OwnedLoads& owned, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place,
                       const IsUnclaimed& is_unclaimed);
  void load_owned(OwnedLoads& owned, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run, LoadPlace& place);
  std::vector<Loaded> call_loader(const OwnedLoads& owned, const LoadSpec& spec, const RunLoader& run, LoadPlace& place,
                                  Duration& took);
  NodeRef previous_value(const Flight& flight, const Claim& claim);

  /// Decides what is to become of what a flight brought.
  Prepared prepare(Flight& flight, const LoadSpec& spec, Loaded& loaded, Duration took);
  /// Stores it unless the flight was fenced, and hands it to those who wait.
  void land(Flight& flight, const LoadSpec& spec, Loaded loaded, Prepared prepared);
  void publish(Flight& flight, const LoadSpec& spec, const Loaded& loaded, Prepared& prepared);
  std::uint64_t valid_before(const Flight& flight, const Loaded& loaded);
  /// Lands a flight, unless it has, with an error.
  void fail(Flight& flight, std::exception_ptr error) noexcept;

  Context& context_;
  const L1Trust& trust_;
  TwoLevel& levels_;
  LeaseCoordinator& leases_;
  std::weak_ptr<void> owner_;
  LoadLimits limits_;
  std::atomic<Duration> longest_load_{Duration::zero()};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
