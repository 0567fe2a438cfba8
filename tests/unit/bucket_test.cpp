// Looking at eight slots at once finds what looking at each finds.
#include "l1/bucket.hpp"

#include <gtest/gtest.h>

#include <random>

#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

unsigned one_by_one(const Bucket& bucket, std::uint64_t hash) {
  unsigned found = 0;
  for (unsigned i = 0; i < Bucket::kSlots; ++i) found |= unsigned{bucket.slots[i] >> 48 == hash >> 48} << i;
  return found;
}

TEST(BucketTest, CandidatesAreTheSlotsWithTheHashsUpperBits) {
  std::mt19937_64 random(11);
  // Few tags, the extreme ones among them, so that several slots have the same.
  constexpr std::uint64_t kTags[] = {0, 1, 0x7fff, 0x8000, 0xffff};
  const auto tag = [&] { return kTags[random() % std::size(kTags)] << 48; };
  const auto below = [&] { return random() >> 16; };
  for (std::size_t i = 0; i < testing_support::scaled(100'000); ++i) {
    Bucket bucket;
    for (auto& slot : bucket.slots) slot = random() % 3 == 0 ? 0 : tag() | below();
    const std::uint64_t hash = tag() | below();
    ASSERT_EQ(bucket.candidates(hash), one_by_one(bucket, hash)) << "round " << i;
  }
}

TEST(BucketTest, HasItsSlotsAndNoOthers) {
  Bucket buckets[3];
  EXPECT_FALSE(buckets[1].has(nullptr));
  for (const Bucket::Slot& slot : buckets[1].slots) EXPECT_TRUE(buckets[1].has(&slot));
  EXPECT_FALSE(buckets[1].has(&buckets[0].slots[7]));
  EXPECT_FALSE(buckets[1].has(&buckets[2].slots[0]));
}

TEST(BucketTest, CountsItsEntriesAndFindsAVacantSlot) {
  Bucket bucket;
  for (unsigned used = 0; used < Bucket::kSlots; ++used) {
    EXPECT_EQ(bucket.used(), used);
    bucket.vacant() = 1;
  }
  EXPECT_EQ(bucket.used(), Bucket::kSlots);
}

}  // namespace
}  // namespace dsta::cache::detail
