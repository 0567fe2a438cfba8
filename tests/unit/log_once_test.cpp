// What is logged once for each reason.
#include "two_level/log_once.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "on_threads.hpp"

namespace dsta::cache::detail {
namespace {

TEST(LogOnce, EachReasonIsLoggedTheFirstTime) {
  LogOnce logged;
  EXPECT_TRUE(logged.first("OOM"));
  EXPECT_FALSE(logged.first("OOM"));
  EXPECT_TRUE(logged.first("NOPERM"));
  EXPECT_FALSE(logged.first("OOM"));
}

TEST(LogOnce, BeyondTheBoundNothingIsLogged) {
  LogOnce logged;
  for (std::size_t i = 0; i < LogOnce::kMost; ++i) ASSERT_TRUE(logged.first(std::to_string(i))) << i;
  EXPECT_FALSE(logged.first("one more"));
}

TEST(LogOnce, OneOfManyThreadsLogsAReason) {
  LogOnce logged;
  std::atomic<int> lines{0};
  testing_support::on_threads(8, [&](std::size_t) { lines += logged.first("OOM") ? 1 : 0; });
  EXPECT_EQ(lines, 1);
}

}  // namespace
}  // namespace dsta::cache::detail
