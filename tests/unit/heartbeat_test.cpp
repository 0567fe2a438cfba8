// When the invalidation channel's two connections are asked for a sign of life, and what their signs prove.
#include "l2/tracking/heartbeat.hpp"

#include <gtest/gtest.h>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

TEST(Heartbeat, TheChannelIsPingedAtOnceAndThenOncePerPeriod) {
  Heartbeat heartbeat(1s);
  heartbeat.channel_opened(kStart);
  EXPECT_EQ(heartbeat.next_ping(), kStart);
  EXPECT_FALSE(heartbeat.awaits_pong());
  heartbeat.begin_ping(kStart + 10ms);
  EXPECT_TRUE(heartbeat.awaits_pong());
  EXPECT_EQ(heartbeat.next_ping(), kStart + 1010ms);
}

TEST(Heartbeat, OnlyThePongOfTheLastPingCounts) {
  Heartbeat heartbeat(1s);
  heartbeat.channel_opened(kStart);
  const std::string first = heartbeat.begin_ping(kStart);
  EXPECT_FALSE(heartbeat.take_pong("something else"));
  EXPECT_TRUE(heartbeat.take_pong(first));
  EXPECT_FALSE(heartbeat.take_pong(first)) << "once";
  const std::string second = heartbeat.begin_ping(kStart + 1s);
  EXPECT_NE(first, second);
  EXPECT_FALSE(heartbeat.take_pong(first)) << "of the ping before";
  EXPECT_TRUE(heartbeat.awaits_pong());
}

TEST(Heartbeat, ARefusedPingIsASignOfLife) {
  Heartbeat heartbeat(1s);
  heartbeat.channel_opened(kStart);
  EXPECT_FALSE(heartbeat.take_refusal()) << "nothing was asked";
  heartbeat.begin_ping(kStart);
  EXPECT_TRUE(heartbeat.take_refusal());
  EXPECT_FALSE(heartbeat.awaits_pong());
}

TEST(Heartbeat, ANewConnectionOwesNoPongForTheOneBefore) {
  Heartbeat heartbeat(1s);
  heartbeat.channel_opened(kStart);
  heartbeat.begin_ping(kStart);
  heartbeat.channel_opened(kStart + 5s);
  EXPECT_FALSE(heartbeat.awaits_pong());
}

TEST(Heartbeat, KnownGoodIsTheEarlierOfTheTwoLastSigns) {
  Heartbeat heartbeat(1s);
  heartbeat.channel_opened(kStart);
  heartbeat.up(kStart, kStart + 20ms);
  EXPECT_EQ(heartbeat.known_good(), kStart);
  const std::string ping = heartbeat.begin_ping(kStart + 1s);
  EXPECT_TRUE(heartbeat.take_pong(ping));
  EXPECT_EQ(heartbeat.known_good(), kStart) << "the data connection has not been confirmed since";
  heartbeat.confirmed(kStart + 900ms);
  EXPECT_EQ(heartbeat.known_good(), kStart + 900ms) << "as of when the check began, not when its answer came";
  heartbeat.confirmed(kStart + 1900ms);
  EXPECT_EQ(heartbeat.known_good(), kStart + 1s) << "as of when the ping was sent";
}

TEST(Heartbeat, OfAServerThatEndsIdleConnectionsIsTwiceAsOften) {
  Heartbeat heartbeat(6s);
  const auto period = [&] {
    heartbeat.check_begun(kStart);
    return heartbeat.next_check() - kStart;
  };
  EXPECT_EQ(period(), 6s);
  heartbeat.idle_connection_ended();
  EXPECT_EQ(period(), 3s);
  heartbeat.idle_connection_ended();
  EXPECT_EQ(period(), 1500ms);
  heartbeat.idle_connection_ended();
  heartbeat.idle_connection_ended();
  EXPECT_EQ(period(), 1s);

  Heartbeat fast(200ms);
  fast.idle_connection_ended();
  fast.check_begun(kStart);
  EXPECT_EQ(fast.next_check() - kStart, 200ms) << "never less often than before";
}

TEST(Heartbeat, ALargeValueStandsForAnAnswerForEightPeriods) {
  Heartbeat heartbeat(1s);
  heartbeat.up(kStart, kStart);
  EXPECT_TRUE(heartbeat.may_wait_for_large_value(kStart + 7999ms));
  EXPECT_FALSE(heartbeat.may_wait_for_large_value(kStart + 8s));
  heartbeat.confirmed(kStart + 8s);
  EXPECT_TRUE(heartbeat.may_wait_for_large_value(kStart + 15s));
}

}  // namespace
}  // namespace dsta::cache::detail
