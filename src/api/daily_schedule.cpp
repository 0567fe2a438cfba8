#include "api/daily_schedule.hpp"

#include <chrono>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

DailySchedule::DailySchedule(const TimeOfDay& time, Time now)
    : time_(time), zone_(TimeZone::load(time.zone)), seen_(now), next_(next_after(now)) {}

DailySchedule::Time DailySchedule::next_after(Time now) const {
  using namespace std::chrono;
  const auto seconds_now = floor<seconds>(now);
  const local_seconds shown((seconds_now + zone_.offset_at(seconds_now)).time_since_epoch());
  // From the day before: a time that is skipped at midnight comes on the next day.
  for (local_days day = floor<days>(shown) - days(1);; day += days(1)) {
    const weekday of_week(day);
    if (time_.weekdays_only && (of_week == Saturday || of_week == Sunday)) continue;
    const local_seconds local = day + floor<seconds>(time_.at);
    const Time at = zone_.to_utc(local) + floor<Time::duration>(time_.at - floor<seconds>(time_.at));
    if (at > now) return at;
  }
}

bool DailySchedule::due(Time now) {
  // A clock that was wrong and is set back must not leave the job waiting for a time that is far away.
  if (now < seen_ - std::chrono::hours(12)) next_ = next_after(now);
  seen_ = now;
  if (now < next_) return false;
  next_ = next_after(now);
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
