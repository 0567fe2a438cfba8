#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The offsets of one time zone, from the system's database (TZif, RFC 8536). The standard library of g++ 12 knows no
/// zones, and localtime() knows only that of the process. A plain value.
class TimeZone {
 public:
  /// By its name in the database, such as "America/New_York"; "UTC" needs no database. Throws ConfigError.
  static TimeZone load(const std::string& name);
  /// Of the bytes of a file; nullopt when they are not valid.
  static std::optional<TimeZone> parse(std::string_view bytes);

  /// East of Greenwich is positive.
  std::chrono::seconds offset_at(std::chrono::sys_seconds when) const;

  /// When clocks in the zone show this. The first time of two, where they are set back. Where they are set forward and
  /// never show it: as much later as they are set forward.
  std::chrono::sys_seconds to_utc(std::chrono::local_seconds local) const;

 private:
  /// A day of each year and a time on it, as in POSIX's TZ.
  struct Change {
    enum class Form { day_without_leap, day, weekday_of_month };
    Form form = Form::day;
    int month = 0, week = 0, day = 0;
    std::chrono::seconds time{7200};

    std::chrono::local_seconds in(std::chrono::year year) const;
  };
  /// What holds behind the last transition.
  struct Rule {
    std::chrono::seconds standard{0};
    std::chrono::seconds summer{0};
    bool has_summer = false;
    Change begin, end;

    std::chrono::seconds offset_at(std::chrono::sys_seconds when) const;
  };
  struct Transition {
    std::chrono::sys_seconds at;
    std::chrono::seconds offset;  ///< from then on
  };
  class Reader;
  class RuleReader;

  std::chrono::seconds first_{0};  ///< before the first transition
  std::vector<Transition> transitions_;
  std::optional<Rule> rule_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
