// Spinning is kept to while it mostly works, and hardly tried while it does not.
#include <gtest/gtest.h>

#include "l2/client/incoming_replies.hpp"

namespace dsta::cache::detail {
namespace {

/// Of `reads` those for which it was tried, when `works` of ten tries work.
int tried(AdaptiveSpin& spins, int reads, int works) {
  int count = 0;
  for (int i = 0; i < reads; ++i) {
    if (!spins.pay()) continue;
    spins.have(7 * count % 10 < works);
    ++count;
  }
  return count;
}

TEST(AdaptiveSpin, IsKeptToWhileItMostlyWorks) {
  AdaptiveSpin spins;
  EXPECT_GT(tried(spins, 10'000, 10), 9'900);
  EXPECT_GT(tried(spins, 10'000, 7), 9'000);
}

TEST(AdaptiveSpin, IsHardlyTriedWhileItDoesNotWorkAndFoundAgain) {
  AdaptiveSpin spins;
  EXPECT_LT(tried(spins, 100'000, 0), 50);
  EXPECT_GT(tried(spins, 20'000, 10), 15'000);
  EXPECT_LT(tried(spins, 100'000, 0), 60);
}

}  // namespace
}  // namespace dsta::cache::detail
