#pragma once
#include <atomic>

#include <dsta/cache/detail/coarse_clock.hpp>
#include <dsta/cache/detail/node.hpp>

#include "entry/entry.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Until when what L1 has of another level may be read: for as long as the invalidation channel vouches for it, which
/// is a time of the steady clock. Without another level always. Thread-safe.
///
/// A time, because a process that was stopped finds it past, whatever its threads have not done yet.
class L1Trust {
 public:
  /// There is another level. Before any other thread sees this.
  void limit() noexcept { limited_ = true; }
  void set(TimePoint until) noexcept { until_.store(until, std::memory_order_release); }
  /// The channel is known to be down, and Level::l1 values that other processes can invalidate were dropped since:
  /// those that are in L1 were loaded without it. Else (`false`) they may be older than an invalidation that was
  /// missed.
  void set_own_dropped(bool dropped) noexcept { own_dropped_.store(dropped, std::memory_order_release); }

  bool limited() const noexcept { return limited_; }
  bool holds() const noexcept { return holds_at(coarse_now()); }
  /// The same by a time of the steady clock that was read already.
  /// Acquire: the entry is looked for after this, and what the channel had removed by then is gone.
  bool holds_at(TimePoint now) const noexcept { return now < until_.load(std::memory_order_acquire); }
  /// Invalidations of Level::l1 values may be missing: the channel has vouched for nothing for two ping periods, and
  /// the values that were in L1 then are still there. This process was stopped or forked, or a large value holds up the
  /// channel's signs of life.
  bool lags() const noexcept { return limited_ && !holds() && !own_dropped_.load(std::memory_order_acquire); }

 private:
  bool limited_ = false;
  std::atomic<TimePoint> until_{TimePoint::max()};
  std::atomic<bool> own_dropped_{true};
};

/// What of L1 may be served to one call. One thread.
///
/// Made before the look into the store: a missed invalidation may be processed between the two, and then trust holds
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
