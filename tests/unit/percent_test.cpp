// Percent-encoding, and sums that end at the end of time.
#include "base/percent.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/saturating_add.hpp"

namespace dsta::cache::detail {
namespace {

TEST(Percent, EveryByteComesBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string coded = percent_encoded(all);
  EXPECT_EQ(percent_decoded(coded), all);
  EXPECT_EQ(coded.find_first_not_of("-._~%0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
            std::string::npos);
}

TEST(Percent, WhatIsKeptIsNotEncoded) { EXPECT_EQ(percent_encoded("a/b c", "/"), "a/b%20c"); }

TEST(Percent, APercentSignWithoutTwoDigitsIsNoText) {
  for (const char* const broken : {"%", "a%2", "%g0", "%0g", "100%"}) EXPECT_EQ(percent_decoded(broken), std::nullopt);
}

TEST(SaturatingAdd, EndsAtTheEndOfTime) {
  const TimePoint now{std::chrono::hours(1)};
  EXPECT_EQ(saturating_add(now, std::chrono::seconds(1)), now + std::chrono::seconds(1));
  EXPECT_EQ(saturating_add(now, Duration::max()), TimePoint::max());
  EXPECT_EQ(saturating_add(TimePoint::max(), Duration(1)), TimePoint::max());
  EXPECT_EQ(saturating_add(now, -std::chrono::hours(1)), TimePoint{});
}

}  // namespace
}  // namespace dsta::cache::detail
