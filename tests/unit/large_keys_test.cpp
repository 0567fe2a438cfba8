// Which keys are read over connections for large values.
#include "l2/values/large_keys.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace dsta::cache::detail {
namespace {

TEST(LargeKeysTest, ThoseWhoseValueWasLargeLastAreKnown) {
  const auto keys = std::make_unique<LargeKeys>();
  EXPECT_FALSE(keys->any());
  keys->note("k", kLargeValue - 1);
  EXPECT_FALSE(keys->any());
  EXPECT_FALSE(keys->know("k"));
  keys->note("k", kLargeValue);
  EXPECT_TRUE(keys->any());
  EXPECT_TRUE(keys->know("k"));
  EXPECT_FALSE(keys->know("other"));
  keys->note("other", 1);
  EXPECT_TRUE(keys->know("k"));
  keys->note("k", 0);
  EXPECT_FALSE(keys->know("k"));
}

TEST(LargeKeysTest, WhereNoneIsKnownAnyMoreNoReadLooksForOne) {
  const auto keys = std::make_unique<LargeKeys>();
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < 3 * LargeKeys::kPlaces; ++i) keys->note(std::to_string(i), kLargeValue);
    for (std::size_t i = 0; i < 3 * LargeKeys::kPlaces; ++i) {
      EXPECT_TRUE(keys->any());
      keys->note(std::to_string(i), kLargeValue);
    }
    for (std::size_t i = 0; i < 3 * LargeKeys::kPlaces; ++i) keys->note(std::to_string(i), 1);
    EXPECT_FALSE(keys->any());
  }
}

TEST(LargeKeysTest, TheLatestAreKnownOfMoreThanThereIsRoomFor) {
  const auto keys = std::make_unique<LargeKeys>();
  for (std::size_t i = 0; i < 10 * LargeKeys::kPlaces; ++i) keys->note(std::to_string(i), kLargeValue);
  EXPECT_TRUE(keys->know(std::to_string(10 * LargeKeys::kPlaces - 1)));
  std::size_t known = 0;
  for (std::size_t i = 0; i < 10 * LargeKeys::kPlaces; ++i) known += keys->know(std::to_string(i)) ? 1 : 0;
  EXPECT_GT(known, LargeKeys::kPlaces / 2);
  EXPECT_LE(known, LargeKeys::kPlaces);
}

}  // namespace
}  // namespace dsta::cache::detail
