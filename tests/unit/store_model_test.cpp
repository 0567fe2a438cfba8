// Random operations against a plain map: whatever the manager answers, the model answers too.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "model_walk.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using testing_support::scaled;
using testing_support::Walk;

void expect_agreement(Walk& walk, std::size_t steps) {
  for (std::size_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    walk.step();
  }
}

TEST(StoreModel, EveryAnswerIsThatOfAPlainMap) {
  for (const unsigned seed : {1u, 2u, 3u, 4u}) {
    testing::CleanCache clean;
    Walk walk(clean.cache, *clean.clock, seed, "p" + std::to_string(seed));
    expect_agreement(walk, scaled(50'000));
    EXPECT_GT(walk.hits, 0u);
    EXPECT_EQ(clean.cache.get_stats().evictions, 0u);
  }
}

TEST(StoreModel, UnderATinyBudgetAGetMayMissButIsNeverWrong) {
  for (const unsigned seed : {11u, 12u}) {
    testing::CleanCache clean({.l1 = {.max_bytes = 8 << 10}});
    Walk walk(clean.cache, *clean.clock, seed, "tiny", true);
    expect_agreement(walk, scaled(50'000));
    EXPECT_GT(walk.hits, 0u);
    EXPECT_GT(clean.cache.get_stats().evictions, 0u);
    EXPECT_LE(clean.cache.get_stats().bytes, 8u << 10);
  }
}

TEST(StoreModel, EightThreadsOnKeysOfTheirOwnSeeEachTheirOwnMap) {
  testing::CleanCache clean;
  std::vector<std::jthread> threads;
  std::atomic<std::size_t> hits{0};
  for (unsigned i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      Walk walk(clean.cache, *clean.clock, 100 + i, "thread" + std::to_string(i));
      walk.alone = false;
      expect_agreement(walk, scaled(25'000));
      hits += walk.hits;
    });
  }
  threads.clear();
  EXPECT_GT(hits, 0u);
}

}  // namespace
}  // namespace dsta::cache
