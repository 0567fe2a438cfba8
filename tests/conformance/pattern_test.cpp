// delete_pattern and flush_all: what they remove, what they leave, and what they say.
#include <gtest/gtest.h>

#include <string>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Patterns : BackendTest {
  void fill(std::initializer_list<const char*> keys) {
    for (const char* key : keys) ASSERT_TRUE(cache.set(key, 1));
  }
};
INSTANTIATE_TEST_SUITE_P(On, Patterns, all_backends(), backend_name);

TEST_P(Patterns, RemoveWhatMatchesAndSayHowMuchThatWas) {
  fill({"p:user:1", "p:user:2", "p:admin:1", "q:user:1"});
  EXPECT_EQ(cache.delete_pattern("user:*", {.prefix = "p"}), 2u);
  EXPECT_EQ(cache.delete_pattern("user:*", {.prefix = "p"}), 0u);
  EXPECT_FALSE(cache.exists("p:user:1"));
  EXPECT_TRUE(cache.exists("p:admin:1"));
  EXPECT_TRUE(cache.exists("q:user:1")) << "of another prefix";
  EXPECT_EQ(cache.delete_pattern("*:user:?"), 1u) << "over the joined key";
}

TEST_P(Patterns, KnowClassesAndEscapes) {
  fill({"k1", "k2", "k3", "k^", "k*", "k**", "k[1]", "k\\"});
  EXPECT_EQ(cache.delete_pattern("k[1-2]"), 2u);
  EXPECT_EQ(cache.delete_pattern("k\\*"), 1u);
  EXPECT_TRUE(cache.exists("k**"));
  EXPECT_EQ(cache.delete_pattern("k\\[1\\]"), 1u);
  EXPECT_EQ(cache.delete_pattern("k\\\\"), 1u);
  EXPECT_EQ(cache.delete_pattern("k[^3]"), 1u) << "k^";
  EXPECT_EQ(cache.delete_pattern("*"), 2u);
}

TEST_P(Patterns, TakeAPrefixLiterally) {
  cache.set("k", 1, {.prefix = "a*"});
  cache.set("k", 1, {.prefix = "ab"});
  cache.set("k", 1, {.prefix = "a[b]"});
  cache.set("k", 1, {.prefix = "a\\b"});
  EXPECT_EQ(cache.delete_pattern("*", {.prefix = "a*"}), 1u);
  EXPECT_EQ(cache.delete_pattern("?", {.prefix = "a[b]"}), 1u);
  EXPECT_EQ(cache.delete_pattern("k", {.prefix = "a\\b"}), 1u);
  EXPECT_TRUE(cache.exists("ab:k"));
}

TEST_P(Patterns, OfNoMeaningArePatternErrors) {
  fill({"k"});
  for (const char* pattern : {"", "k[", "k\\"}) EXPECT_THROW(cache.delete_pattern(pattern), PatternError) << pattern;
  EXPECT_TRUE(cache.exists("k"));
}

TEST_P(Patterns, RemoveCountersToo) {
  cache.increment("n:1", 5);
  cache.increment("n:2", 5);
  EXPECT_EQ(cache.delete_pattern("n:*"), 2u);
  EXPECT_EQ(cache.increment("n:1"), 1);
}

TEST_P(Patterns, RemoveEntriesWithoutATtlAndOfWrappers) {
  const auto f = cache.cached({.ttl = forever, .prefix = "api"}, [](const std::string& s) { return s; });
  f("BTC"), f("BTCUSDT"), f("ETH");
  EXPECT_EQ(cache.delete_pattern("api:BTC*"), 2u);
  EXPECT_FALSE(f.peek("BTC"));
  EXPECT_TRUE(f.peek("ETH"));
}

TEST_P(Patterns, RemoveThousandsAndNothingElse) {
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(cache.set(std::to_string(i), i, {.prefix = i % 3 ? "many" : "other"}));
  EXPECT_EQ(cache.delete_pattern("many:*"), 2000u);
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(cache.exists(std::to_string(i), {.prefix = "other"}), i % 3 == 0);
  EXPECT_EQ(cache.delete_pattern("many:*"), 0u);
}

TEST_P(Patterns, FenceTheLoadsThatMatch) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int i) { return cache.delete_pattern("f:1*"), i; });
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(f(2), 2);
  EXPECT_FALSE(f.peek(1));
  EXPECT_TRUE(f.peek(2));
  EXPECT_EQ(f.cache_info().fenced, 1u);
}

TEST_P(Patterns, FlushAllEmptiesThisSpaceCountersIncludedAndNoOther) {
  CacheManager other = manager_of(space + "-other");
  CacheManager longer = manager_of(space + "x");
  for (CacheManager* each : {&other, &longer}) {
    each->set("k", "theirs");
    each->increment("n", 5);
  }
  const auto f = cache.cached({.ttl = forever, .prefix = "f"}, [](int i) { return i; });
  f(1);
  cache.set("k", "v", {.ttl = forever, .tags = {"t"}});
  cache.increment("n", 7);
  cache.flush_all();
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_FALSE(f.peek(1));
  EXPECT_FALSE(cache.get<std::int64_t>("n"));
  EXPECT_EQ(cache.increment("n"), 1);
  for (CacheManager* each : {&other, &longer}) {
    EXPECT_EQ(each->get("k"), "theirs");
    EXPECT_EQ(each->get<std::int64_t>("n"), 5);
  }
  EXPECT_TRUE(cache.set("k", "again"));
  EXPECT_EQ(cache.get("k"), "again") << "what is stored after it counts";
  EXPECT_EQ(f(1), 1);
  EXPECT_TRUE(f.peek(1));
}

TEST_P(Patterns, FlushAllFencesLoadsUnderWay) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int i) { return cache.flush_all(), i; });
  EXPECT_EQ(f(1), 1);
  EXPECT_FALSE(f.peek(1));
}

}  // namespace
}  // namespace dsta::cache
