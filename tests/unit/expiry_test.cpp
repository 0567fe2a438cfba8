// When an entry expires, and when its refresh is due.
#include "entry/expiry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "entry/entry.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow{1h};

struct ExpiryTest : ::testing::Test {
  bool set(Expiry how) { return set_expiry(*node, terms, std::move(how), kNow, random); }

  EntryTerms terms;
  NodeRef node = make_node<int>(KeyView{"key", {}, 1}, 1);
  Random random{3};
};

TEST_F(ExpiryTest, ATtlOfZeroOrLessSaysNotToStore) {
  EXPECT_FALSE(set({.ttl = 0s}));
  EXPECT_FALSE(set({.ttl = -1s}));
}

TEST_F(ExpiryTest, FreshForItsTtlAndStaleForStaleFor) {
  terms.stale_for = 30s;
  ASSERT_TRUE(set({.ttl = 10s}));
  EXPECT_EQ(node->created, kNow);
  EXPECT_EQ(node->fresh_until, kNow + 10s);
  EXPECT_EQ(node->refresh_at, kNow + 10s);
  EXPECT_EQ(node->stale_until, kNow + 40s);
}

TEST_F(ExpiryTest, AnEntryWithoutEndIsNeverDueNorStale) {
  terms.stale_for = 30s;
  terms.refresh_ahead = 0.5;
  terms.xfetch = 1;
  terms.jitter = 0.5;
  ASSERT_TRUE(set({.ttl = forever}));
  EXPECT_EQ(node->fresh_until, TimePoint::max());
  EXPECT_EQ(node->refresh_at, TimePoint::max());
  EXPECT_EQ(node->stale_until, TimePoint::max());
}

TEST_F(ExpiryTest, RefreshAheadIsAFractionOfTheTtl) {
  terms.refresh_ahead = 0.75;
  ASSERT_TRUE(set({.ttl = 100s}));
  EXPECT_EQ(node->refresh_at, kNow + 75s);
}

TEST_F(ExpiryTest, AnEarlyRefreshLeavesAtLeastHalfOfTheTtl) {
  for (int i = 0; i < 200; ++i) {
    terms.xfetch = 1;
    ASSERT_TRUE(set({.ttl = 100s, .load_cost = 1h}));
    ASSERT_GE(node->refresh_at, kNow + 50s);
    ASSERT_LE(node->refresh_at, kNow + 100s);
  }
}

TEST_F(ExpiryTest, AnEarlyRefreshComesEarlierTheLongerALoadTakes) {
  const auto mean_gap = [&](Duration cost) {
    Duration sum{};
    for (int i = 0; i < 500; ++i) {
      terms.xfetch = 1;
      EXPECT_TRUE(set({.ttl = 1h, .load_cost = cost}));
      sum += node->fresh_until - node->refresh_at;
    }
    return sum / 500;
  };
  EXPECT_NEAR(static_cast<double>(mean_gap(1s) / 1ms), 1000, 150) << "the mean of -log of a fraction is 1";
  EXPECT_NEAR(static_cast<double>(mean_gap(10s) / 1ms), 10'000, 1500);
}

TEST_F(ExpiryTest, JitterShortensATtlByNoMoreThanItsFraction) {
  Duration shortest = 100s, longest{};
  for (int i = 0; i < 500; ++i) {
    const Duration ttl = jittered(100s, 0.2, random);
    shortest = std::min(shortest, ttl);
    longest = std::max(longest, ttl);
  }
  EXPECT_GE(shortest, 80s);
  EXPECT_LE(shortest, 81s);
  EXPECT_GE(longest, 99s);
  EXPECT_LE(longest, 100s);
  EXPECT_EQ(jittered(forever, 1, random), forever);
  EXPECT_EQ(jittered(100s, 0, random), 100s);
}

TEST_F(ExpiryTest, WhatDoesNotFitIsTheEndOfTime) {
  terms.stale_for = Duration::max();
  ASSERT_TRUE(set({.ttl = Duration::max() - 2h}));
  EXPECT_EQ(node->stale_until, TimePoint::max());
}

TEST_F(ExpiryTest, MetadataWeighsAndAnEntryWithoutHasNone) {
  const std::size_t weight = node->weight;
  ASSERT_TRUE(set({.ttl = 1s}));
  EXPECT_EQ(node->extra, nullptr);
  EXPECT_EQ(node->weight, weight);
  terms.idle_ttl = 5s;
  ASSERT_TRUE(set({.ttl = 1s, .etag = std::string(1'000, 'e')}));
  ASSERT_NE(node->extra, nullptr);
  EXPECT_EQ(etag_of(*node).size(), 1'000u);
  EXPECT_EQ(node->extra->idle_ttl, Duration(5s));
  EXPECT_EQ(node->extra->last_read.load(), kNow);
  EXPECT_GE(node->weight, weight + sizeof(NodeExtra) + 1'000);
}

}  // namespace
}  // namespace dsta::cache::detail
