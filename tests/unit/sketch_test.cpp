// How often keys were seen, estimated.
#include "l1/sketch.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace dsta::cache::detail {
namespace {

std::uint64_t hash_of(std::uint64_t key) { return (key + 1) * 0x9e3779b97f4a7c15; }

TEST(Sketch, EstimatesAtLeastWhatWasAddedUpToFifteen) {
  Sketch sketch;
  sketch.resize(10'000);
  for (std::uint64_t key = 0; key < 2'000; ++key) {
    for (std::uint64_t n = 0; n < key % 20; ++n) sketch.add(hash_of(key));
  }
  for (std::uint64_t key = 0; key < 2'000; ++key) {
    EXPECT_GE(sketch.estimate(hash_of(key)), std::min<std::uint64_t>(key % 20, 15)) << key;
    EXPECT_LE(sketch.estimate(hash_of(key)), 15u) << key;
  }
}

TEST(Sketch, TellsKeysThatWereSeenFromThoseThatWereNot) {
  Sketch sketch;
  sketch.resize(1'000);
  for (int round = 0; round < 4; ++round) {
    for (std::uint64_t key = 0; key < 1'000; ++key) sketch.add(hash_of(key));
  }
  int wrong = 0;
  for (std::uint64_t key = 1'000; key < 11'000; ++key) wrong += sketch.estimate(hash_of(key)) >= 4 ? 1 : 0;
  EXPECT_LE(wrong, 500) << "of 10,000 keys that share counters with 1,000 others";
}

TEST(Sketch, CountsFadeAfterTenAdditionsPerEntry) {
  Sketch sketch;
  sketch.resize(64);
  for (int n = 0; n < 12; ++n) sketch.add(hash_of(0));
  ASSERT_EQ(sketch.estimate(hash_of(0)), 12u);
  std::uint64_t key = 1;
  while (sketch.estimate(hash_of(0)) >= 12 && key < 640) sketch.add(hash_of(key++));
  EXPECT_LT(sketch.estimate(hash_of(0)), 12u);
  EXPECT_GT(key, 400u) << "it must not fade much earlier";
}

TEST(Sketch, ANewSizeForgetsTheCountsAndTakesHalfAByteACounter) {
  Sketch sketch;
  sketch.add(hash_of(1));
  sketch.resize(4'096);
  EXPECT_EQ(sketch.estimate(hash_of(1)), 0u);
  EXPECT_EQ(sketch.bytes(), 4'096u * 8 / 2);
}

}  // namespace
}  // namespace dsta::cache::detail
