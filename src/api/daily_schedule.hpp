#pragma once
#include <chrono>

#include <dsta/cache/warmer.hpp>

#include "base/time_zone.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// When a daily job is due. One thread.
class DailySchedule {
 public:
  using Time = std::chrono::system_clock::time_point;

  /// Throws ConfigError for an unknown zone.
  DailySchedule(const TimeOfDay& time, Time now);

  /// The first time of the job after `now`.
  Time next_after(Time now) const;
  /// True once for each time that has come. Times that were missed together, of a process that was suspended, count as
  /// one.
  bool due(Time now);

 private:
  TimeOfDay time_;
  TimeZone zone_;
  Time seen_;  ///< the last look
  Time next_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
