#include <dsta/cache/time_span.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include <dsta/cache/manager.hpp>
#include <dsta/cache/testing.hpp>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

std::string printed(const TimeSpan& span) {
  std::ostringstream out;
  out << span;
  return out.str();
}

TEST(TimeSpan, PrintsItselfWithItsUnit) {
  EXPECT_EQ(printed(600s), "600s");
  EXPECT_EQ(printed(599'999'999'999ns), "599.999s") << "cut off, not rounded up";
  EXPECT_EQ(printed(1500ms), "1.5s");
  EXPECT_EQ(printed(1001us), "1.001ms");
  EXPECT_EQ(printed(250ms), "250ms");
  EXPECT_EQ(printed(12'500ns), "12.5us");
  EXPECT_EQ(printed(20ns), "20ns");
  EXPECT_EQ(printed(0s), "0s");
  EXPECT_EQ(printed(-1500ms), "-1.5s");
  EXPECT_EQ(printed(forever), "forever");
  EXPECT_EQ(printed(Duration::min()), "-forever");
}

TEST(TimeSpan, GivesSecondsWithoutACast) {
  EXPECT_DOUBLE_EQ(TimeSpan(1500ms).seconds(), 1.5);
  EXPECT_DOUBLE_EQ(TimeSpan().seconds(), 0);
  EXPECT_EQ(TimeSpan(forever).seconds(), std::numeric_limits<double>::infinity());
}

TEST(TimeSpan, IsUsedLikeADuration) {
  const TimeSpan span = 90s;
  const Duration same = span;
  EXPECT_EQ(same, 90s);
  EXPECT_TRUE(span > 1min && span <= 90s && span + 30s == 2min);
  EXPECT_EQ(std::chrono::duration_cast<std::chrono::minutes>(span), 1min);
  const std::chrono::duration<double> seconds = span;
  EXPECT_DOUBLE_EQ(seconds.count(), 90);
  const std::optional<Duration> kept = std::optional<TimeSpan>(span);
  EXPECT_EQ(kept, 90s);
}

TEST(TimeSpan, IsWhatTheCacheReports) {
  testing::CleanCache clean;
  clean.cache.set("k", 1, {.ttl = 600s});
  EXPECT_EQ(printed(clean.cache.get_ttl("k").value()), "600s");
  EXPECT_DOUBLE_EQ(clean.cache.get_ttl("k")->seconds(), 600);
  clean.clock->advance(30s);
  EXPECT_EQ(printed(clean.cache.lookup<int>("k").age), "30s");
}

TEST(AnotherType, IsSaidInTheDebugLog) {
  std::vector<std::string> lines;
  const auto keep = [&](LogLevel, std::string_view line) { lines.emplace_back(line); };
  testing::CleanCache clean{{.log = {.level = LogLevel::debug, .sink = keep}}};
  clean.cache.set("k", "text", {.prefix = "custom"});
  lines.clear();
  EXPECT_FALSE(clean.cache.get<double>("k", {.prefix = "custom"}));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("under prefix 'custom'"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find("another type"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[0].find("text"), std::string::npos) << "never the value: " << lines[0];
  EXPECT_FALSE(clean.cache.lookup<std::vector<int>>("k", {.prefix = "custom"}));
  EXPECT_EQ(lines.size(), 2U);
  EXPECT_FALSE(clean.cache.get<double>("absent", {.prefix = "custom"}));
  EXPECT_EQ(clean.cache.get("k", {.prefix = "custom"}), "text");
  EXPECT_EQ(lines.size(), 2U) << "an absent value, and the right type, log nothing";
}

}  // namespace
}  // namespace dsta::cache
