// Tasks and jobs of one owner, ended together.
#include "base/background.hpp"

#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <thread>
#include <utility>

#include "eventually.hpp"
#include "hand_executor.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::HandExecutor;
using testing_support::InlineExecutor;

TEST(TaskList, ATaskThatHasNotBegunIsDestroyedByClose) {
  HandExecutor executor;
  const auto list = std::make_shared<TaskList>();
  auto held = std::make_shared<int>(0);
  bool ran = false;
  ASSERT_TRUE(list->post(executor, [&ran, held] { ran = true; }));
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_TRUE(list->close(0ms));
  EXPECT_EQ(held.use_count(), 1) << "although the executor has its ticket still";
  executor.run();
  EXPECT_FALSE(ran);
  EXPECT_FALSE(list->post(executor, [] {}));
}

TEST(TaskList, WhatATaskHoldsIsDestroyedBeforeItCountsAsEnded) {
  const auto pool = thread_pool(1);
  const auto list = std::make_shared<TaskList>();
  std::atomic<bool> destroyed = false;
  std::shared_ptr<void> held(&destroyed, [&](void*) {
    std::this_thread::sleep_for(5ms);  // so that a close() that comes too early is seen to
    destroyed = true;
  });
  std::latch began(1);
  ASSERT_TRUE(list->post(*pool, [&began, held = std::move(held)] { began.count_down(); }));
  began.wait();
  EXPECT_TRUE(list->close(20s));
  EXPECT_TRUE(destroyed);
}

TEST(TaskList, CloseWaitsForOtherThreadsAndNoLongerThanItsPatience) {
  const auto pool = thread_pool(1);
  const auto list = std::make_shared<TaskList>();
  std::latch began(1), end(1);
  ASSERT_TRUE(list->post(*pool, [&] {
    began.count_down();
    end.wait();
  }));
  began.wait();
  EXPECT_FALSE(list->close(1ms));
  end.count_down();
  EXPECT_TRUE(list->close(20s));
}

TEST(TaskList, MayBeClosedByATaskOfItsOwn) {
  InlineExecutor executor;
  const auto list = std::make_shared<TaskList>();
  bool idle = false;
  ASSERT_TRUE(list->post(executor, [&] { idle = list->close(20s); }));
  EXPECT_TRUE(idle);
}

TEST(TaskList, KnowsWhichThreadsRunATask) {
  InlineExecutor executor;
  const auto list = std::make_shared<TaskList>();
  bool inside = false;
  ASSERT_TRUE(list->post(executor, [&] { inside = TaskList::on_task(); }));
  EXPECT_TRUE(inside);
  EXPECT_FALSE(TaskList::on_task());
}

struct BackgroundTest : ::testing::Test {
  ~BackgroundTest() override { background->close(20s); }

  const std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  const std::shared_ptr<HandExecutor> executor = std::make_shared<HandExecutor>();
  const std::shared_ptr<Background> background = std::make_shared<Background>(clock, executor);
};

TEST_F(BackgroundTest, AJobRunsOnceAnInterval) {
  int ran = 0;
  const auto schedule = background->every(1s, [&] { ++ran; });
  for (int i = 1; i <= 3; ++i) {
    clock->advance(1s);
    executor->await_and_run();
    EXPECT_EQ(ran, i);
  }
}

TEST_F(BackgroundTest, AJobForAllTimesNeverRuns) {
  int ran = 0;
  const auto never = background->every(forever, [&] { ++ran; });
  const auto other = background->every(1s, [] {});
  clock->advance(1s);
  executor->await_and_run();
  EXPECT_EQ(ran, 0);
}

TEST_F(BackgroundTest, ARunThatIsStillUnderWaySkipsTheNext) {
  int ran = 0;
  const auto slow = background->every(1s, [&] { ++ran; });
  clock->advance(1s);
  ASSERT_TRUE(eventually([&] { return executor->waiting() == 1; }));
  const auto fast = background->every(1s, [] {});
  clock->advance(1s);
  ASSERT_TRUE(eventually([&] { return executor->waiting() == 2; })) << "of the fast one only";
  executor->run();
  EXPECT_EQ(ran, 1);
  clock->advance(1s);
  ASSERT_TRUE(eventually([&] { return executor->waiting() == 2; }));
}

TEST_F(BackgroundTest, AJobWhoseScheduleIsGoneNeverRunsAgain) {
  int ran = 0;
  auto schedule = background->every(1s, [&] { ++ran; });
  clock->advance(1s);
  ASSERT_TRUE(eventually([&] { return executor->waiting() == 1; }));
  schedule.reset();
  executor->run();
  EXPECT_EQ(ran, 0);
}

TEST_F(BackgroundTest, AfterCloseNothingIsTaken) {
  background->close(0ms);
  EXPECT_FALSE(background->post([] {}));
  EXPECT_NE(background->every(1s, [] {}), nullptr);
}

}  // namespace
}  // namespace dsta::cache::detail
