// The places of a prefix's loads and the queue for them, without any loads.
#include "load/admission.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <dsta/cache/error.hpp>

#include "load/load_limits.hpp"
#include "load/load_place.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

TEST(Admission, GivesAsManyPlacesAsAllowed) {
  Admission admission({.concurrent = 2, .queue = 0});
  EXPECT_TRUE(admission.try_enter());
  EXPECT_TRUE(admission.enter());
  EXPECT_FALSE(admission.try_enter());
  EXPECT_FALSE(admission.enter()) << "and there is no room to wait";
  admission.leave();
  EXPECT_TRUE(admission.try_enter());
}

TEST(Admission, WhoWaitsGetsThePlaceThatIsLeft) {
  Admission admission({.concurrent = 1, .queue = 1});
  ASSERT_TRUE(admission.try_enter());
  std::atomic<bool> inside{false};
  std::jthread waiting([&] { inside = admission.enter(); });
  std::this_thread::sleep_for(1ms);
  EXPECT_FALSE(inside);
  admission.leave();
  waiting.join();
  EXPECT_TRUE(inside);
  EXPECT_FALSE(admission.try_enter()) << "the place was handed over, not freed";
  admission.leave();
  EXPECT_TRUE(admission.try_enter());
}

TEST(Admission, WhoComesAgainEntersOverTheLimit) {
  Admission admission({.concurrent = 1, .queue = 0});
  ASSERT_TRUE(admission.try_enter());
  admission.enter_again();
  admission.leave();
  EXPECT_FALSE(admission.try_enter()) << "one of the two is still inside";
  admission.leave();
  EXPECT_TRUE(admission.try_enter());
}

TEST(Admission, RaisingTheLimitAdmitsWhoWaits) {
  Admission admission({.concurrent = 1, .queue = 2});
  ASSERT_TRUE(admission.try_enter());
  std::atomic<int> inside{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back([&] { inside += admission.enter() ? 1 : 0; });
  admission.set({.concurrent = 3, .queue = 2});
  threads.clear();
  EXPECT_EQ(inside, 2);
  EXPECT_FALSE(admission.try_enter());
}

TEST(Admission, OnceOpenLetsEverybodyIn) {
  Admission admission({.concurrent = 1, .queue = 1});
  ASSERT_TRUE(admission.try_enter());
  std::jthread waiting([&] { EXPECT_TRUE(admission.enter()); });
  admission.open();
  waiting.join();
  EXPECT_TRUE(admission.try_enter());
  EXPECT_TRUE(admission.enter());
}

TEST(LoadLimitTable, KnowsTheLimitsThatWereSet) {
  LoadLimits limits;
  EXPECT_EQ(limits.of("db"), nullptr);
  limits.set("db", {.concurrent = 1, .queue = 0});
  Admission* const db = limits.of("db");
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(limits.of("api"), nullptr);
  EXPECT_THROW(limits.set("db", {.concurrent = 0}), ConfigError);
  EXPECT_TRUE(db->try_enter());
  EXPECT_FALSE(db->try_enter()) << "the refused limit changed nothing";
}

TEST(LoadLimitTable, AnotherLimitOfAPrefixKeepsItsAddress) {
  LoadLimits limits;
  limits.set("db", {.concurrent = 1, .queue = 0});
  Admission* const db = limits.of("db");
  ASSERT_TRUE(db->try_enter());
  limits.set("db", {.concurrent = 2, .queue = 0});
  EXPECT_EQ(limits.of("db"), db);
  EXPECT_TRUE(db->try_enter());
}

TEST(LoadLimitTable, OnceOpenNoLimitHoldsNorOneThatIsSetLater) {
  LoadLimits limits;
  limits.set("db", {.concurrent = 1, .queue = 0});
  limits.open();
  limits.set("api", {.concurrent = 1, .queue = 0});
  for (const char* prefix : {"db", "api"}) {
    EXPECT_TRUE(limits.of(prefix)->try_enter());
    EXPECT_TRUE(limits.of(prefix)->try_enter()) << prefix;
  }
}

TEST(LoadPlaceTest, WithoutALimitItNeedsNone) {
  LoadPlace place(nullptr);
  EXPECT_TRUE(place.try_hold());
  EXPECT_TRUE(place.wait());
  EXPECT_EQ(place.take(), nullptr);
}

TEST(LoadPlaceTest, HoldsOnePlaceAndGivesItUpAtItsEnd) {
  Admission admission({.concurrent = 1, .queue = 0});
  {
    LoadPlace place(&admission);
    EXPECT_TRUE(place.try_hold());
    EXPECT_TRUE(place.try_hold()) << "the same";
    EXPECT_FALSE(admission.try_enter());
    EXPECT_FALSE(LoadPlace(&admission).try_hold());
  }
  EXPECT_TRUE(admission.try_enter());
}

TEST(LoadPlaceTest, WhoTakesThePlaceLeavesIt) {
  Admission admission({.concurrent = 1, .queue = 0});
  {
    LoadPlace place(&admission);
    EXPECT_TRUE(place.wait());
    EXPECT_EQ(place.take(), &admission);
    EXPECT_EQ(place.take(), nullptr);
  }
  EXPECT_FALSE(admission.try_enter()) << "taken, and not given up";
  admission.leave();
  EXPECT_TRUE(admission.try_enter());
}

}  // namespace
}  // namespace dsta::cache::detail
