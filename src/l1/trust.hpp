#pragma once
#include <atomic>

#include <dsta/cache/detail/coarse_clock.hpp>
#include <dsta/cache/detail/node.hpp>

#include "entry/entry.hpp"
#include "l1/store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Until when what L1 has of another level may be read: for as long as the invalidation channel vouches for it, which
/// is a time of the steady clock. Without another level always. Thread-safe.
///
/// A time, because a process that was stopped finds it past, whatever its threads have not done yet.
class L1Trust {
 public:
  explicit L1Trust(const Store& store) : store_(store) {}

  /// There is another level. Before any other thread sees this.
  void limit() noexcept { limited_ = true; }
  void set(TimePoint until) noexcept { until_.store(until, std::memory_order_release); }

  bool limited() const noexcept { return limited_; }
  bool holds() const noexcept { return holds_at(coarse_now()); }
  /// The same by a time of the steady clock that was read already.
  bool holds_at(TimePoint now) const noexcept { return now < until_.load(std::memory_order_relaxed); }
  /// The channel is up as far as is known, but vouched for nothing for two ping periods: this process was stopped, or
  /// its threads did not run. What others invalidated meanwhile will be reported in a moment.
  bool lags() const noexcept { return limited_ && !holds() && store_.trust() % 2 == 1; }

 private:
  const Store& store_;
  bool limited_ = false;
  std::atomic<TimePoint> until_{TimePoint::max()};
};

/// What of L1 may be served to one call. One thread.
///
/// Made before the look into the store: a missed invalidation may be reported between the two, and then trust holds
/// again while the entry that was found is out of date.
class L1View {
 public:
  explicit L1View(const L1Trust& trust) noexcept : L1View(trust, trust.holds()) {}
  /// `current`: whether trust holds, where that is known already.
  L1View(const L1Trust& trust, bool current) noexcept : current_(current), lags_(!current && trust.lags()) {}

  bool current() const noexcept { return current_; }
  /// Others may have invalidated it.
  bool hides(const Node& node) const noexcept { return !current_ && (node.shared || (lags_ && heeds_others(node))); }

 private:
  const bool current_, lags_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
