#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dsta/cache/detail/load.hpp>

#include "l1/flight.hpp"
#include "l1/store.hpp"
#include "l1/trust.hpp"
#include "load/load_runner.hpp"
#include "load/refresh_backoffs.hpp"
#include "two_level/context.hpp"
#include "two_level/l2_cache.hpp"
#include "two_level/l2_counters.hpp"
#include "two_level/two_level.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Single flight (request coalescing): a caller finds a value, joins the load of its key that is under way, or leads
/// one; it waits for the value, or is served a stale one while the load runs. Thread-safe.
///
/// Invariant: a caller gets no value of a load that began before an invalidation which was over when the caller came.
/// Where L1 cannot tell, the caller reads L2 before it joins.
class Loads {
 public:
  Loads(Context& context, const L1Trust& trust, TwoLevel& levels, L2Cache& l2, LoadRunner& runner,
        const RefreshBackoffs& backoffs, L2Counters& counters)
      : context_(context),
        trust_(trust),
        levels_(levels),
        l2_(l2),
        runner_(runner),
        backoffs_(backoffs),
        counters_(counters) {}

  /// See Core.
  NodeRef load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode);
  void load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader);

 private:
  struct Call;
  class BatchCall;
  enum class Awaited { value, error, missing, timeout, nothing, stuck };

  std::shared_ptr<Flight> new_flight(const KeyView& key, const LoadSpec& spec, const std::vector<std::string>& tags);
  bool reads_l2_itself(const LoadSpec& spec);
  /// Which entries of L1 will do. `asks`: the call reads L2 itself; `lags`: see L1Trust.
  Store::Wants wants_of(bool asks, bool lags) const;
  /// True when the caller may wait for the flight's value: nothing has revoked it at L2.
  bool may_join(const Flight& flight, const Fetched& seen);
  /// Exchanges a load that may bring what was invalidated before the caller came. True: the caller leads the new one.
  bool replace_doubtful(std::shared_ptr<Flight>& flight, bool in_doubt, const Fetched& seen, const Loader& loader);
  /// `leads`: the caller's own flight.
  Awaited await(const std::shared_ptr<Flight>& flight, TimePoint limit, std::uint64_t arrived, bool leads);

  // Steps of load(). Nothing: the caller is to try again.
  std::optional<NodeRef> attempt(Call& call);
  NodeRef serve_entry(Call& call, Store::Joined joined, std::uint64_t arrived, bool asks_first);
  std::optional<NodeRef> wait_for(Call& call, Store::Joined& joined, TimePoint limit, std::uint64_t arrived);
  /// A value while its refresh runs: the value, or what the refresh brings within the soft timeout.
  NodeRef serve_stale_or_wait(NodeRef entry, Freshness freshness, const std::shared_ptr<Flight>& refresh,
                              const Loader& loader, TimePoint called, std::uint64_t arrived);
  /// A value of L2, whose refresh is begun when it is due.
  NodeRef refresh_if_due(Fetched seen, const std::shared_ptr<Loader>& loader, TimePoint called, std::uint64_t arrived);

  Context& context_;
  const L1Trust& trust_;
  TwoLevel& levels_;
  L2Cache& l2_;
  LoadRunner& runner_;
  const RefreshBackoffs& backoffs_;
  L2Counters& counters_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
