// How long the refresh of a value is put off that L1 does not keep.
#include "load/refresh_backoffs.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kCreated{50s}, kNow{100s}, kUntil{110s};

TEST(RefreshBackoffs, LastUntilTheirTimeAndConcernTheirKeyOnly) {
  RefreshBackoffs backoffs;
  EXPECT_FALSE(backoffs.active("k", kCreated, kNow));
  backoffs.begin("k", kCreated, kUntil);
  EXPECT_TRUE(backoffs.active("k", kCreated, kNow));
  EXPECT_TRUE(backoffs.active("k", kCreated, kUntil - 1ns));
  EXPECT_FALSE(backoffs.active("k", kCreated, kUntil));
  EXPECT_FALSE(backoffs.active("other", kCreated, kNow));
}

TEST(RefreshBackoffs, AreOfTheirValueAndOfOlderOnes) {
  RefreshBackoffs backoffs;
  backoffs.begin("k", kCreated, kUntil);
  EXPECT_TRUE(backoffs.active("k", kCreated - 1s, kNow));
  EXPECT_FALSE(backoffs.active("k", kCreated + 1ns, kNow)) << "another process has refreshed";
}

TEST(RefreshBackoffs, TheLastOneOfAKeyCounts) {
  RefreshBackoffs backoffs;
  backoffs.begin("k", kCreated, kUntil);
  backoffs.begin("k", kCreated + 5s, kUntil - 5s);
  EXPECT_TRUE(backoffs.active("k", kCreated + 5s, kNow));
  EXPECT_FALSE(backoffs.active("k", kCreated, kUntil - 5s)) << "shorter than the one before";
}

TEST(RefreshBackoffs, BeyondTheBoundAllAreForgotten) {
  RefreshBackoffs backoffs;
  for (std::size_t i = 0; i < RefreshBackoffs::kMost; ++i) backoffs.begin(std::to_string(i), kCreated, kUntil);
  EXPECT_TRUE(backoffs.active("0", kCreated, kNow));
  backoffs.begin("one more", kCreated, kUntil);
  EXPECT_FALSE(backoffs.active("0", kCreated, kNow));
  EXPECT_TRUE(backoffs.active("one more", kCreated, kNow));
}

}  // namespace
}  // namespace dsta::cache::detail
