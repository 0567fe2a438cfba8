// A thread that was stopped in between is told apart from one that ran on, since the time it would read may be old.
#include "l1/unbroken_run.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

struct UnbrokenRuns : ::testing::Test {
  void SetUp() override {
    if (!UnbrokenRun::of_this_thread()) GTEST_SKIP() << "no restartable sequences here: every run counts as broken";
  }
  /// At least one of some tries in a row: the system may break any single run.
  static bool goes_on() {
    for (int i = 0; i < 1000; ++i) {
      UnbrokenRun::begin(thread_record());
      if (UnbrokenRun::goes_on(thread_record())) return true;
    }
    return false;
  }
};

TEST_F(UnbrokenRuns, GoOnWhileTheThreadKeepsItsProcessor) { EXPECT_TRUE(goes_on()); }

TEST_F(UnbrokenRuns, AreBrokenBySleeping) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(goes_on());
    std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(UnbrokenRun::goes_on(thread_record()));
  }
}

TEST_F(UnbrokenRuns, OfOtherThreadsAreTheirOwn) {
  ASSERT_TRUE(goes_on());
  bool first = true, then = false;
  std::thread([&] {
    first = UnbrokenRun::goes_on(thread_record());
    then = goes_on();
  }).join();
  EXPECT_FALSE(first);
  EXPECT_TRUE(then);
}

TEST_F(UnbrokenRuns, AreOverWhenTheyAreEnded) {
  ASSERT_TRUE(goes_on());
  UnbrokenRun::end(thread_record());
  EXPECT_FALSE(UnbrokenRun::goes_on(thread_record()));
}

TEST(WithoutRestartableSequences, EveryRunIsBroken) {
  const ThreadRecord record;
  for (int i = 0; i < 3; ++i) {
    UnbrokenRun::begin(record);
    EXPECT_FALSE(UnbrokenRun::goes_on(record));
  }
}

}  // namespace
}  // namespace dsta::cache::detail
