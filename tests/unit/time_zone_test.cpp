#include "base/time_zone.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::TimeZone;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

std::string number(std::int64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

/// A file of version 2: transitions to a type, the types' offsets, and the rule behind them.
std::string file(const std::vector<std::pair<std::int64_t, int>>& transitions, const std::vector<int>& offsets,
                 const std::string& rule) {
  const auto header = [](std::size_t times, std::size_t types) {
    return "TZif2" + std::string(15, '\0') + number(0, 4) + number(0, 4) + number(0, 4) +
           number(static_cast<std::int64_t>(times), 4) + number(static_cast<std::int64_t>(types), 4) + number(4, 4);
  };
  std::string bytes = header(0, 1) + number(0, 4) + std::string(2, '\0') + std::string("UTC\0", 4);
  bytes += header(transitions.size(), offsets.size());
  for (const auto& [at, type] : transitions) bytes += number(at, 8);
  for (const auto& [at, type] : transitions) bytes += static_cast<char>(type);
  for (const int offset : offsets) bytes += number(offset, 4) + std::string(2, '\0');
  return bytes + std::string("UTC\0", 4) + "\n" + rule + "\n";
}
TimeZone of_rule(const std::string& rule) {
  const auto zone = TimeZone::parse(file({}, {0}, rule));
  EXPECT_TRUE(zone) << rule;
  return zone.value_or(TimeZone());
}

constexpr sys_seconds at(int year, unsigned month, unsigned day, seconds time = 0s) {
  return sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)) + time;
}
constexpr local_seconds shown(int year, unsigned month, unsigned day, seconds time = 0s) {
  return local_seconds(at(year, month, day, time).time_since_epoch());
}

TEST(TimeZone, UtcNeedsNoDatabase) {
  EXPECT_EQ(TimeZone::load("UTC").offset_at(at(2026, 7, 1)), 0s);
  EXPECT_EQ(TimeZone::load("UTC").to_utc(shown(2026, 7, 1, 9h)), at(2026, 7, 1, 9h));
}

TEST(TimeZone, TheRuleHoldsBehindTheLastTransition) {
  const TimeZone new_york = of_rule("EST5EDT,M3.2.0,M11.1.0");
  EXPECT_EQ(new_york.offset_at(at(2026, 1, 15)), -5h);
  EXPECT_EQ(new_york.offset_at(at(2026, 3, 8, 7h) - 1s), -5h);
  EXPECT_EQ(new_york.offset_at(at(2026, 3, 8, 7h)), -4h);
  EXPECT_EQ(new_york.offset_at(at(2026, 11, 1, 6h) - 1s), -4h);
  EXPECT_EQ(new_york.offset_at(at(2026, 11, 1, 6h)), -5h);
}

TEST(TimeZone, InTheSouthSummerGoesOverTheEndOfTheYear) {
  const TimeZone sydney = of_rule("AEST-10AEDT,M10.1.0,M4.1.0/3");
  EXPECT_EQ(sydney.offset_at(at(2026, 1, 1)), 11h);
  EXPECT_EQ(sydney.offset_at(at(2026, 7, 1)), 10h);
  EXPECT_EQ(sydney.offset_at(at(2026, 12, 31)), 11h);
}

TEST(TimeZone, RulesOfEveryForm) {
  EXPECT_EQ(of_rule("<-0330>3:30").offset_at(at(2026, 1, 1)), -(3h + 30min));
  EXPECT_EQ(of_rule("IST-5:30").offset_at(at(2026, 1, 1)), 5h + 30min);
  const TimeZone by_days = of_rule("AAA0BBB-2,J60/1,300/-1");  // the 1st of March, day 300 counted from 0
  EXPECT_EQ(by_days.offset_at(at(2028, 3, 1, 1h) - 1s), 0h);
  EXPECT_EQ(by_days.offset_at(at(2028, 3, 1, 1h)), 2h);
  EXPECT_EQ(by_days.offset_at(at(2027, 3, 1, 1h)), 2h);
  EXPECT_EQ(by_days.offset_at(at(2027, 10, 28) - 3h - 1s), 2h);
  EXPECT_EQ(by_days.offset_at(at(2027, 10, 28) - 3h), 0h);
}

TEST(TimeZone, TransitionsOfTheFileComeFirst) {
  const auto zone = TimeZone::parse(file({{1000, 1}, {2000, 2}}, {60, 120, 180}, "AAA-1"));
  ASSERT_TRUE(zone);
  EXPECT_EQ(zone->offset_at(sys_seconds(999s)), 60s);
  EXPECT_EQ(zone->offset_at(sys_seconds(1000s)), 120s);
  EXPECT_EQ(zone->offset_at(sys_seconds(2000s)), 1h) << "the rule";
  const auto without_rule = TimeZone::parse(file({{1000, 1}, {2000, 2}}, {60, 120, 180}, ""));
  ASSERT_TRUE(without_rule);
  EXPECT_EQ(without_rule->offset_at(sys_seconds(5000s)), 180s);
}

TEST(TimeZone, ATimeThatClocksSkipComesAsMuchLater) {
  const TimeZone new_york = of_rule("EST5EDT,M3.2.0,M11.1.0");
  EXPECT_EQ(new_york.to_utc(shown(2026, 3, 8, 2h + 30min)), at(2026, 3, 8, 7h + 30min)) << "3:30 in summer time";
  EXPECT_EQ(new_york.to_utc(shown(2026, 3, 8, 3h)), at(2026, 3, 8, 7h));
  EXPECT_EQ(new_york.to_utc(shown(2026, 3, 8, 1h + 59min)), at(2026, 3, 8, 6h + 59min));
}

TEST(TimeZone, ATimeThatClocksShowTwiceIsTheFirst) {
  const TimeZone new_york = of_rule("EST5EDT,M3.2.0,M11.1.0");
  EXPECT_EQ(new_york.to_utc(shown(2026, 11, 1, 1h + 30min)), at(2026, 11, 1, 5h + 30min)) << "still summer time";
  EXPECT_EQ(new_york.to_utc(shown(2026, 11, 1, 2h)), at(2026, 11, 1, 7h));
}

TEST(TimeZone, FilesThatAreNotValidAreRefused) {
  const std::string good = file({{1000, 1}, {2000, 0}}, {60, 120}, "EST5EDT,M3.2.0,M11.1.0");
  ASSERT_TRUE(TimeZone::parse(good));
  for (std::size_t size = 0; size + 1 < good.size(); ++size)
    EXPECT_FALSE(TimeZone::parse(good.substr(0, size))) << size;
  EXPECT_FALSE(TimeZone::parse("XZif" + good.substr(4)));
  EXPECT_FALSE(TimeZone::parse(file({{1000, 5}}, {60}, "AAA-1"))) << "no such type";
  EXPECT_FALSE(TimeZone::parse(file({{2000, 0}, {1000, 0}}, {60}, "AAA-1"))) << "not in order";
  for (const char* rule : {"A1", "EST", "EST5EDT", "EST5EDT,M13.1.0,M1.1.0", "EST5EDT,M3.0.0,M11.1.0",
                           "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,M3.2.0,M11.1.0,", "EST999", "<EST5", "EST5EDT,M3.2.0"}) {
    EXPECT_FALSE(TimeZone::parse(file({}, {0}, rule))) << rule;
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (int n = 0; n < 3; ++n) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (const auto zone = TimeZone::parse(bytes)) (void)zone->to_utc(shown(2026, 3, 8, 2h + 30min));
  }
}

TEST(TimeZone, NamesThatAreNoZoneAreRefused) {
  for (const char* name : {"", "Nowhere/City", "../etc/passwd", "/etc/passwd", "America", "New York"}) {
    EXPECT_THROW(TimeZone::load(name), ConfigError) << name;
  }
}

TEST(TimeZone, AgreesWithTheCLibrary) {
  const char* const old = std::getenv("TZ");
  const std::optional<std::string> before = old ? std::optional<std::string>(old) : std::nullopt;
  int zones = 0;
  for (const char* name : {"America/New_York", "Europe/Berlin", "Australia/Sydney", "Asia/Kolkata", "Asia/Tokyo",
                           "America/Sao_Paulo", "Africa/Casablanca", "Europe/Dublin", "Pacific/Chatham"}) {
    if (!std::filesystem::exists(std::string("/usr/share/zoneinfo/") + name)) continue;
    ++zones;
    const TimeZone zone = TimeZone::load(name);
    setenv("TZ", name, 1);
    tzset();
    for (sys_seconds when = at(1990, 1, 1); when < at(2060, 1, 1); when += 11h + 17min) {
      const std::time_t time = when.time_since_epoch().count();
      std::tm parts{};
      localtime_r(&time, &parts);
      ASSERT_EQ(zone.offset_at(when).count(), parts.tm_gmtoff) << name << " at " << time;
    }
  }
  before ? setenv("TZ", before->c_str(), 1) : unsetenv("TZ");
  tzset();
  if (zones == 0) GTEST_SKIP() << "no database";
}

}  // namespace
}  // namespace dsta::cache
