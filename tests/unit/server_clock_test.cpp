// Times of this process as the server's, whatever the two clocks say.
#include "l2/values/server_clock.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::RandomValues;
using testing_support::scaled;
using Microseconds = std::chrono::microseconds;

constexpr std::int64_t kServerNow = 1'700'000'000'000'000;
constexpr TimePoint kAsked{100h};

TEST(ServerClock, IsMeasuredWhenItIsNewOrDoubtedOrFromAMinuteAgo) {
  ServerClock clock(kAsked);
  EXPECT_TRUE(clock.due());
  clock.set(kServerNow, kAsked, kAsked, 1);
  EXPECT_FALSE(clock.due());
  EXPECT_FALSE(clock.due(std::chrono::steady_clock::now() + 59s));
  EXPECT_TRUE(clock.due(std::chrono::steady_clock::now() + 60s));
  clock.doubt();
  EXPECT_TRUE(clock.due());
  EXPECT_EQ(clock.to_server(kAsked), kServerNow) << "until there is a better one it is the best there is";
}

TEST(ServerClock, IsThatOfTheConnectionItWasMeasuredBy) {
  ServerClock clock(kAsked);
  clock.set(kServerNow, kAsked, kAsked, 7);
  EXPECT_FALSE(clock.is_older_than(7));
  EXPECT_FALSE(clock.is_older_than(6)) << "answered late";
  EXPECT_TRUE(clock.is_older_than(8));
}

TEST(ServerClock, IsNotMadeWorseByAnAnswerThatTookLong) {
  ServerClock clock(kAsked);
  clock.set(kServerNow, kAsked, kAsked + 100us, 1);
  // The server answered when 900 ms had gone by; nothing tells that it was not asked then.
  clock.set(kServerNow + 60'900'000, kAsked + 60s, kAsked + 61s, 1);
  EXPECT_EQ(clock.to_server(kAsked), kServerNow);
  clock.set(kServerNow + 120'500'000, kAsked + 120s, kAsked + 120s + 100us, 1);
  EXPECT_EQ(clock.to_server(kAsked), kServerNow + 500'000) << "it was set";
  clock.set(kServerNow + 180'900'000, kAsked + 180s, kAsked + 181s, 2);
  EXPECT_EQ(clock.to_server(kAsked), kServerNow + 900'000) << "another server's";
}

TEST(ServerClock, IsTakenToBeThisMachinesWhileItIsNotKnown) {
  const auto here = [] {
    return std::chrono::duration_cast<Microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  const std::int64_t before = here();
  ServerClock clock(kAsked);
  EXPECT_GE(clock.to_server(kAsked), before);
  EXPECT_LE(clock.to_server(kAsked), here());
  clock.set(5, kAsked, kAsked, 1);
  clock.assume(kAsked, 2);
  EXPECT_GE(clock.to_server(kAsked), before);
  EXPECT_FALSE(clock.due());
  EXPECT_FALSE(clock.is_older_than(2));
}

TEST(ServerClock, ReadsEachTimeBackToTheMicrosecond) {
  ServerClock clock(kAsked);
  clock.set(kServerNow, kAsked, kAsked, 1);
  EXPECT_EQ(clock.to_server(kAsked), kServerNow);
  EXPECT_EQ(clock.to_server(kAsked + 5s), kServerNow + 5'000'000);
  EXPECT_EQ(clock.to_server(kAsked - 5s), kServerNow - 5'000'000);
  EXPECT_EQ(clock.to_local(kServerNow + 1), kAsked + 1us);
  RandomValues random(1);
  for (std::size_t left = scaled(10'000); left != 0; --left) {
    const TimePoint time{Microseconds(random.below(1'000'000'000'000'000))};
    ASSERT_EQ(clock.to_local(clock.to_server(time)), time);
  }
}

TEST(ServerClock, AnEntryEndsHereAtMostARoundTripBeforeItEndsThere) {
  RandomValues random(2);
  for (std::size_t left = scaled(10'000); left != 0; --left) {
    const auto ahead = static_cast<std::int64_t>(random.below(2'000'000'000'000'000)) - 100'000'000'000'000;
    const auto round_trip = static_cast<std::int64_t>(random.below(1'000'000));
    const auto on_the_way = static_cast<std::int64_t>(random.below(static_cast<std::size_t>(round_trip) + 1));
    const TimePoint asked{Microseconds(random.below(1'000'000'000'000'000))};
    const std::int64_t asked_there = Microseconds(asked.time_since_epoch() / 1us).count() + ahead;
    ServerClock clock(kAsked);
    clock.set(asked_there + on_the_way, asked, asked, 1);
    const TimePoint end_here = asked + 10s;
    const TimePoint end = clock.to_local(asked_there + 10'000'000);
    ASSERT_LE(end, end_here);
    ASSERT_GE(end, end_here - Microseconds(round_trip));
  }
}

/// Whatever the round trips of the process that wrote it and of the one that reads it.
TEST(ServerClock, NoEntryLivesLongerThanItWasGiven) {
  RandomValues random(3);
  const std::int64_t ttl = 10'000'000;
  for (std::size_t left = scaled(10'000); left != 0; --left) {
    ServerClock writer(kAsked), reader(kAsked);
    const auto measure = [&](ServerClock& clock) {  // both run with the server's clock, which starts at kServerNow
      const auto round_trip = static_cast<std::int64_t>(random.below(1'000'000));
      const auto on_the_way = static_cast<std::int64_t>(random.below(static_cast<std::size_t>(round_trip) + 1));
      clock.set(kServerNow + on_the_way, kAsked, kAsked + Microseconds(round_trip), 1);
    };
    for (std::size_t n = random.below(3) + 1; n != 0; --n) measure(writer);
    for (std::size_t n = random.below(3) + 1; n != 0; --n) measure(reader);
    const TimePoint end = kAsked + Microseconds(ttl);
    ASSERT_LE(reader.to_local(writer.to_server_at_least(end)), end);
    ASSERT_GE(reader.to_local(writer.to_server_at_least(end)), end - 2s);
  }
}

TEST(ServerClock, IsMeasuredAgainSoonWhenTheAnswerTookLong) {
  ServerClock clock(kAsked);
  clock.set(kServerNow, kAsked, kAsked + 300ms, 1);
  EXPECT_FALSE(clock.due());
  EXPECT_TRUE(clock.due(std::chrono::steady_clock::now() + 1s));
  clock.set(kServerNow + 1'000'000, kAsked + 1s, kAsked + 1s + 1ms, 1);
  EXPECT_FALSE(clock.due(std::chrono::steady_clock::now() + 2s));
  clock.set(kServerNow + 2'000'000, kAsked + 2s, kAsked + 2s + 300ms, 1);
  EXPECT_FALSE(clock.due(std::chrono::steady_clock::now() + 2s)) << "what is known is not made worse";
}

TEST(ServerClock, NeverIsNeverOnBothSides) {
  ServerClock clock(kAsked);
  clock.set(kServerNow, kAsked, kAsked, 1);
  EXPECT_EQ(clock.to_server(TimePoint::max()), kNever);
  EXPECT_EQ(clock.to_local(kNever), TimePoint::max());
}

TEST(ServerClock, WhatIsTooFarAheadForThisClockIsNever) {
  ServerClock clock(kAsked);
  clock.set(kServerNow, kAsked, kAsked, 1);
  EXPECT_EQ(clock.to_local(kNever - 1), TimePoint::max());
  ServerClock behind(kAsked);
  behind.set(5, kAsked, kAsked, 1);  // a server that believes it is 1970
  EXPECT_EQ(behind.to_local(kNever - 1), TimePoint::max());
}

TEST(ServerClock, WhatIsTooLongAgoForThisClockIsLongAgo) {
  ServerClock clock(kAsked);
  clock.set(kServerNow, kAsked, kAsked, 1);
  EXPECT_EQ(clock.to_local(kServerNow - 101LL * 3'600'000'000), TimePoint{});
  EXPECT_EQ(clock.to_local(0), TimePoint{});
  EXPECT_EQ(clock.to_local(-1), TimePoint{});
  EXPECT_EQ(clock.to_local(std::numeric_limits<std::int64_t>::min()), TimePoint{});
}

}  // namespace
}  // namespace dsta::cache::detail
