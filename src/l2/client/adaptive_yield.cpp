#include "l2/client/adaptive_yield.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// One measurement is imprecise, as time slices are as long as a window. So it weighs at most this, and half as much
/// after each further one.
constexpr double kMostOfOne = 0.7;
/// The least advantage for which the mode changes.
constexpr double kToChange = 0.1;

}  // namespace

void AdaptiveYield::completed(std::size_t count, TimePoint now) {
  completed_ += count;
  const Duration taken = now - begun_;
  if (taken < kWindow || (completed_ < kLeast && taken < kLongestWindow)) return;
  const double rate = static_cast<double>(completed_) / std::chrono::duration<double>(taken).count();
  if (yields_ != chosen_) {
    compare(rate);
  } else {
    chosen_rate_ = completed_ < kLeast || taken > kLongestWindow ? 0 : rate;
    if (++windows_ >= pause_ && chosen_rate_ > 0) yields_ = !chosen_;
  }
  completed_ = 0;
  begun_ = now;
}

/// With what the other way, which was tried, has done.
void AdaptiveYield::compare(double rate) {
  const double gain = std::clamp(std::log(rate / chosen_rate_), -kMostOfOne, kMostOfOne);
  advantage_ = advantage_ / 2 + (yields_ ? gain : -gain);
  const bool better = std::abs(advantage_) < kToChange ? chosen_ : advantage_ > 0;
  pause_ = better == chosen_ ? std::min(2 * pause_, kMostPause) : kLeastPause;
  yields_ = chosen_ = better;
  windows_ = 0;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
