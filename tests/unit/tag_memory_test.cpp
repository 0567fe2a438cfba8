// What tags cost: the budget pays for those that entries carry, and what nothing refers to goes.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "entry/tags.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::TagSet;
using detail::TagTable;
using testing_support::scaled;

struct TagMemory : ::testing::Test {
  std::atomic<std::size_t> charged{0};
  TagTable table{charged};
};

TEST_F(TagMemory, IsChargedOnceHoweverManyReferAndGivenBackByTheLast) {
  const std::string longer(10'000, 't');
  TagSet one = table.find({longer, "short"});
  const std::size_t with_one = charged;
  EXPECT_GT(with_one, longer.size());
  EXPECT_LT(with_one, longer.size() + 500);
  {
    const TagSet two = table.find({longer}), three = one.again();
    EXPECT_EQ(charged, with_one);
    one = TagSet();
    EXPECT_EQ(charged, with_one) << "others refer to them";
  }
  EXPECT_EQ(charged, 0u);
}

TEST_F(TagMemory, OfInvalidationsAloneIsNotCharged) {
  for (std::uint64_t i = 1; i <= 100'000; ++i) table.invalidate(std::to_string(i), i, i % 2 == 0);
  EXPECT_EQ(charged, 0u);
  EXPECT_EQ(table.find({"100000"}).removed(), 100'000u);
  EXPECT_EQ(table.find({"99999"}).expired(), 99'999u);
  EXPECT_GE(table.find({"2"}).removed(), 2u) << "forgotten, and yet not younger than it was";
  EXPECT_GE(table.find({"1"}).expired(), 1u);
}

TEST_F(TagMemory, OfMillionsAtOnceIsGivenBack) {
  std::vector<TagSet> sets;
  for (std::size_t i = 0; i < scaled(200'000); ++i) sets.push_back(table.find({std::to_string(i)}));
  EXPECT_GT(charged, sets.size() * 100);
  sets.clear();
  EXPECT_LT(charged, scaled(200'000) * 40) << "but for the tables";
  for (int i = 0; i < 10'000; ++i) (void)table.find({std::to_string(i)});
  EXPECT_EQ(charged, 0u);
}

TEST_F(TagMemory, IsSafeWhileTagsComeAndGoOnManyThreads) {
  std::atomic<std::uint64_t> sequence{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < scaled(50'000); ++i) {
          const std::string mine = "t" + std::to_string(t) + " " + std::to_string(i % 3),
                            shared = std::to_string(i % 5);
          const TagSet set = table.find({mine, shared});
          const std::uint64_t point = sequence.fetch_add(1) + 1;
          table.invalidate(i % 2 == 0 ? mine : shared, point, true);
          ASSERT_GE(set.removed(), point);
          TagSet more = set.again();
          more.join(table.find({std::to_string(i % 7)}));
          ASSERT_GE(more.removed(), point);
        }
      });
    }
  }
  EXPECT_EQ(charged, 0u);
}

struct TaggedEntries : ::testing::Test, testing::CleanCache {};

TEST_F(TaggedEntries, WeighTheirTags) {
  const std::uint64_t empty = cache.get_stats().bytes;
  const std::string tag(60'000, 't');
  cache.set("a", 1, {.ttl = 1h, .tags = {tag}});
  const std::uint64_t one = cache.get_stats().bytes;
  EXPECT_GT(one, empty + tag.size());
  cache.set("b", 1, {.ttl = 1h, .tags = {tag}});
  EXPECT_LT(cache.get_stats().bytes, one + 1'000) << "one tag is there once";
  cache.del("a");
  EXPECT_GT(cache.get_stats().bytes, empty + tag.size());
  cache.del("b");
  EXPECT_EQ(cache.get_stats().bytes, empty);
}

TEST_F(TaggedEntries, AreRefusedWhenTheirTagsAreTooHeavyForAShard) {
  std::vector<std::string> tags;
  for (int i = 0; i < 100; ++i) tags.push_back(std::to_string(i) + std::string(60'000, 't'));
  cache.set("before", 1, {.ttl = 1h});
  const SetResult result = cache.set("heavy", 1, {.ttl = 1h, .tags = tags});
  EXPECT_FALSE(result);
  EXPECT_NE(result.reason(), "");
  EXPECT_TRUE(cache.exists("before"));
  EXPECT_LT(cache.get_stats().bytes, 1'000'000u);
}

TEST_F(TaggedEntries, OfALoadStayThoughOtherTagsAreInvalidated) {
  const auto f = cache
                     .cached({.ttl = 60s, .prefix = "f"},
                             [&](int n) {
                               for (int i = 0; i < 1'000; ++i) cache.invalidate_tag("other " + std::to_string(i));
                               return n;
                             })
                     .adaptive_tags([](int n) { return std::vector{"named by the value " + std::to_string(n)}; });
  for (int n = 0; n < 50; ++n) (void)f(n);
  EXPECT_EQ(f.cache_info().fenced, 0u);
  EXPECT_EQ(f.cache_info().sets, 50u);
}

}  // namespace
}  // namespace dsta::cache
