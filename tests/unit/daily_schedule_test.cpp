#include "api/daily_schedule.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::DailySchedule;
using std::chrono::sys_days;

DailySchedule::Time at(int year, unsigned month, unsigned day, std::chrono::milliseconds time = 0ms) {
  return sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)) + time;
}

struct DailyScheduleIn : ::testing::Test {
  void SetUp() override {
    if (!std::filesystem::exists("/usr/share/zoneinfo/America/New_York")) GTEST_SKIP() << "no database";
  }
  static DailySchedule new_york(Duration time, DailySchedule::Time now, bool weekdays_only = false) {
    return DailySchedule({.at = time, .zone = "America/New_York", .weekdays_only = weekdays_only}, now);
  }
};

TEST(DailySchedule, ComesOnceADay) {
  DailySchedule daily({.at = 9h + 1500ms}, at(2026, 3, 2, 10h));
  EXPECT_FALSE(daily.due(at(2026, 3, 3, 9h + 1499ms)));
  EXPECT_TRUE(daily.due(at(2026, 3, 3, 9h + 1500ms)));
  EXPECT_FALSE(daily.due(at(2026, 3, 3, 9h + 1501ms)));
  EXPECT_FALSE(daily.due(at(2026, 3, 4, 8h)));
  EXPECT_TRUE(daily.due(at(2026, 3, 4, 11h))) << "late";
  EXPECT_TRUE(daily.due(at(2026, 3, 8))) << "those that were missed count as one";
  EXPECT_FALSE(daily.due(at(2026, 3, 8, 1h)));
}

TEST(DailySchedule, AClockThatIsSetBackLeavesNothingWaiting) {
  DailySchedule daily({.at = 9h}, at(2026, 3, 2));
  EXPECT_TRUE(daily.due(at(2030, 1, 1)));
  EXPECT_FALSE(daily.due(at(2026, 3, 2, 8h)));
  EXPECT_TRUE(daily.due(at(2026, 3, 2, 9h)));
  EXPECT_FALSE(daily.due(at(2026, 3, 2, 8h + 59min))) << "by a little: not a second time";
  EXPECT_FALSE(daily.due(at(2026, 3, 2, 9h)));
}

TEST_F(DailyScheduleIn, TheTimeIsThatOfTheZone) {
  const DailySchedule daily = new_york(9h, at(2026, 1, 5));
  EXPECT_EQ(daily.next_after(at(2026, 1, 5)), at(2026, 1, 5, 14h));
  EXPECT_EQ(daily.next_after(at(2026, 1, 5, 14h)), at(2026, 1, 6, 14h));
  EXPECT_EQ(new_york(22h, at(2026, 1, 5)).next_after(at(2026, 1, 5, 1h)), at(2026, 1, 5, 3h)) << "there it is the 4th";
}

TEST_F(DailyScheduleIn, ClocksThatAreSetForwardMoveIt) {
  const DailySchedule daily = new_york(9h, at(2026, 3, 6));
  EXPECT_EQ(daily.next_after(at(2026, 3, 7)), at(2026, 3, 7, 14h));
  EXPECT_EQ(daily.next_after(at(2026, 3, 8)), at(2026, 3, 8, 13h)) << "summer time begins";
  const DailySchedule skipped = new_york(2h + 30min, at(2026, 3, 6));
  EXPECT_EQ(skipped.next_after(at(2026, 3, 8)), at(2026, 3, 8, 7h + 30min)) << "3:30 instead of 2:30";
  EXPECT_EQ(skipped.next_after(at(2026, 3, 8, 7h + 30min)), at(2026, 3, 9, 6h + 30min));
}

TEST_F(DailyScheduleIn, ClocksThatAreSetBackDoNotRepeatIt) {
  DailySchedule daily = new_york(1h + 30min, at(2026, 10, 31, 12h));
  EXPECT_EQ(daily.next_after(at(2026, 11, 1)), at(2026, 11, 1, 5h + 30min));
  EXPECT_TRUE(daily.due(at(2026, 11, 1, 5h + 30min)));
  EXPECT_FALSE(daily.due(at(2026, 11, 1, 6h + 30min))) << "1:30 again";
  EXPECT_TRUE(daily.due(at(2026, 11, 2, 6h + 30min)));
}

TEST_F(DailyScheduleIn, WeekdaysAreThoseOfTheZone) {
  const DailySchedule daily = new_york(9h, at(2026, 3, 6), true);
  EXPECT_EQ(daily.next_after(at(2026, 3, 6, 14h)), at(2026, 3, 9, 13h)) << "from Friday to Monday, over the change";
  EXPECT_EQ(new_york(23h, at(2026, 3, 6), true).next_after(at(2026, 3, 7)), at(2026, 3, 7, 4h)) << "Friday there";
}

}  // namespace
}  // namespace dsta::cache
