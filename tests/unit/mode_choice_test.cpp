// Which mode of coherence is tried after which answer.
#include "l2/tracking/mode_choice.hpp"

#include <gtest/gtest.h>

namespace dsta::cache::detail {
namespace {

constexpr auto kTracking = CoherenceMode::tracking;
constexpr auto kAnnouncements = CoherenceMode::announcements;

TEST(ModeChoiceTest, ARefusalIsFollowedByAnnouncementsOnce) {
  ModeChoice choice(CoherenceMode::automatic);
  EXPECT_EQ(choice.next(), kTracking);
  EXPECT_TRUE(choice.refused(kTracking, "NOPERM"));
  EXPECT_EQ(choice.next(), kAnnouncements);
  EXPECT_NE(choice.with_first_refusal("no PUBLISH").find("NOPERM"), std::string::npos);
  EXPECT_FALSE(choice.refused(kAnnouncements, "no PUBLISH")) << "there is nothing behind them";
  EXPECT_EQ(choice.next(), kTracking) << "the next connection begins anew";
  EXPECT_EQ(choice.with_first_refusal("x"), "x");
}

TEST(ModeChoiceTest, WhatIsAskedForIsAllThatIsTried) {
  ModeChoice tracking(kTracking), announcements(kAnnouncements);
  EXPECT_EQ(tracking.next(), kTracking);
  EXPECT_FALSE(tracking.refused(kTracking, "NOPERM"));
  EXPECT_EQ(tracking.next(), kTracking);
  EXPECT_EQ(announcements.next(), kAnnouncements);
  EXPECT_FALSE(announcements.refused(kAnnouncements, "NOPERM"));
  EXPECT_EQ(announcements.next(), kAnnouncements);
}

TEST(ModeChoiceTest, AServerThatEndsConnectionsMayBeRestarting) {
  ModeChoice choice(CoherenceMode::automatic);
  const Subscriber::Failure ended{.why = "the server closed the connection", .ended = true};
  EXPECT_FALSE(choice.is_unsupported(kTracking, ended)) << "once says nothing";
  EXPECT_TRUE(choice.is_unsupported(kTracking, ended));
  choice.came_up(kTracking, {});
  EXPECT_FALSE(choice.is_unsupported(kTracking, ended));
  EXPECT_FALSE(choice.is_unsupported(kTracking, {.why = "no answer in time"}));
  EXPECT_FALSE(choice.is_unsupported(kTracking, ended)) << "not in a row";
  EXPECT_TRUE(choice.is_unsupported(kTracking, {.why = "NOPERM", .refused = true, .unsupported = true}));
}

TEST(ModeChoiceTest, AServerThatEndsAllConnectionsOffersNothing) {
  ModeChoice choice(CoherenceMode::automatic);
  const Subscriber::Failure ended{.why = "the server closed the connection", .ended = true};
  bool off = false;
  for (int attempts = 0; attempts < 6 && !off; ++attempts) {
    const CoherenceMode mode = choice.next();
    const bool unsupported = choice.is_unsupported(mode, ended);
    off = unsupported && !choice.refused(mode, ended.why);
  }
  EXPECT_TRUE(off);
}

TEST(ModeChoiceTest, ASelfTestThatEndsTheConnectionIsARefusal) {
  ModeChoice choice(CoherenceMode::automatic);
  Answer lost, answered;
  lost.fault = Fault::lost;
  lost.maybe_executed = true;
  EXPECT_FALSE(choice.self_test_ended(kTracking, lost));
  EXPECT_FALSE(choice.self_test_ended(kTracking, answered));
  EXPECT_FALSE(choice.self_test_ended(kTracking, lost)) << "not in a row";
  EXPECT_TRUE(choice.self_test_ended(kTracking, lost));
  EXPECT_FALSE(choice.self_test_ended(kAnnouncements, lost)) << "each mode by itself";
}

TEST(ModeChoiceTest, WhatWasOnlyInferredIsTriedAgain) {
  const TimePoint now{std::chrono::hours(1)};
  ModeChoice choice(CoherenceMode::automatic, std::chrono::minutes(10));
  const auto give_up = [&] {
    EXPECT_FALSE(choice.unreported(kTracking)) << "it has a second chance each time";
    EXPECT_TRUE(choice.unreported(kTracking));
    EXPECT_TRUE(choice.refused(kTracking, "nothing was reported"));
    choice.came_up(kAnnouncements, now);
  };
  give_up();
  EXPECT_EQ(choice.tracking_due(), now + std::chrono::minutes(10));
  give_up();
  EXPECT_EQ(choice.tracking_due(), now + std::chrono::minutes(20)) << "each attempt empties L1";
  choice.came_up(kTracking, now);
  EXPECT_EQ(choice.tracking_due(), TimePoint::max());
  give_up();
  EXPECT_EQ(choice.tracking_due(), now + std::chrono::minutes(10));
}

TEST(ModeChoiceTest, WhatWasRefusedIsTriedOnTheNextConnection) {
  ModeChoice choice(CoherenceMode::automatic);
  EXPECT_TRUE(choice.refused(kTracking, "NOPERM"));
  choice.came_up(kAnnouncements, {});
  EXPECT_EQ(choice.tracking_due(), TimePoint::max());
}

TEST(ModeChoiceTest, WhatIsNotHeardIsSaidOnce) {
  ModeChoice choice(CoherenceMode::automatic);
  EXPECT_EQ(choice.message(kTracking, "h:1", std::chrono::seconds(5)), "");
  (void)choice.next();
  ASSERT_TRUE(choice.refused(kTracking, "CLIENT: the server does not know it (ERR unknown command)"));
  (void)choice.next();
  const std::string said = choice.message(kAnnouncements, "h:1", std::chrono::seconds(5));
  for (const char* word : {"h:1", "announcements", "ERR unknown command", "untracked_ttl", "5000 ms"}) {
    EXPECT_NE(said.find(word), std::string::npos) << said;
  }
  EXPECT_EQ(choice.message(kAnnouncements, "h:1", std::chrono::seconds(5)), "");
}

}  // namespace
}  // namespace dsta::cache::detail
