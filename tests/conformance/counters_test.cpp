// increment: sums, ttls and errors are the same wherever the counter is kept.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "backend_test.hpp"
#include "eventually.hpp"
#include "on_threads.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Counters : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, Counters, all_backends(), backend_name);

TEST_P(Counters, AddUpAndDownFromNothing) {
  EXPECT_EQ(cache.increment("n", 1, {.prefix = "p"}), 1);
  EXPECT_EQ(cache.increment("n", 41, {.prefix = "p"}), 42);
  EXPECT_EQ(cache.increment("n", -50, {.prefix = "p"}), -8);
  EXPECT_EQ(cache.increment("n", 0, {.prefix = "p"}), -8);
  EXPECT_EQ(cache.increment("n"), 1) << "another prefix, another counter";
  EXPECT_EQ(cache.get<std::int64_t>("p:n"), -8);
  EXPECT_EQ(cache.get<int>("p:n"), -8) << "whatever integer they are asked for";
  EXPECT_FALSE(cache.get<std::uint8_t>("p:n")) << "that can hold it";
  EXPECT_FALSE(cache.get("p:n"));
  EXPECT_TRUE(cache.exists("p:n"));
}

TEST_P(Counters, LiveForEverUnlessATtlIsGivenAtTheirMaking) {
  cache.increment("n");
  EXPECT_EQ(cache.get_ttl("n"), forever);
  cache.increment("n", 1, {.ttl = 60s});
  EXPECT_EQ(cache.get_ttl("n"), forever) << "on creation only";
  cache.increment("m", 1, {.ttl = 60s});
  cache.increment("m", 1, {.ttl = 600s});
  EXPECT_GT(cache.get_ttl("m"), 50s);
  EXPECT_LE(cache.get_ttl("m"), 60s);
}

TEST_P(Counters, StartAnewWhenTheirTimeIsOver) {
  EXPECT_EQ(cache.increment("n", 5, {.ttl = 120ms}), 5);
  EXPECT_TRUE(eventually([&] { return !cache.exists("n"); }, 2s));
  EXPECT_EQ(cache.increment("n"), 1);
}

TEST_P(Counters, ThatLeaveTheRangeAreAnErrorAndKeepTheirValue) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max(), kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(cache.increment("up", kMost), kMost);
  EXPECT_THROW(cache.increment("up"), ValueError);
  EXPECT_EQ(cache.get<std::int64_t>("up"), kMost);
  EXPECT_EQ(cache.increment("down", kLeast), kLeast);
  EXPECT_THROW(cache.increment("down", -1), ValueError);
  EXPECT_EQ(cache.get<std::int64_t>("down"), kLeast);
}

TEST_P(Counters, OfWhatIsNoIntegerAreAnError) {
  cache.set("text", "abc");
  EXPECT_THROW(cache.increment("text"), ValueError);
  EXPECT_EQ(cache.get("text"), "abc");
  cache.set("digits", "5");
  EXPECT_THROW(cache.increment("digits"), ValueError) << "text of digits is text";
  cache.set("real", 1.5);
  EXPECT_THROW(cache.increment("real"), ValueError);
}

TEST_P(Counters, ThatWereSetKeepTheirTtlAndTags) {
  ASSERT_TRUE(cache.set("n", std::int64_t{5}, {.ttl = 600s, .tags = {"t"}}));
  EXPECT_EQ(cache.increment("n", 1, {.ttl = 60s}), 6);
  EXPECT_EQ(cache.increment("n"), 7);
  EXPECT_GT(cache.get_ttl("n"), 590s);
  EXPECT_LE(cache.get_ttl("n"), 600s);
  EXPECT_EQ(cache.get<std::int64_t>("n"), 7);
  cache.invalidate_tag("t");
  EXPECT_FALSE(cache.exists("n"));
  EXPECT_EQ(cache.increment("n"), 1);
}

TEST_P(Counters, MayBeSetOverAndRemoved) {
  cache.increment("n", 5);
  ASSERT_TRUE(cache.set("n", "text"));
  EXPECT_EQ(cache.get("n"), "text");
  EXPECT_THROW(cache.increment("n"), ValueError);
  EXPECT_TRUE(cache.del("n"));
  EXPECT_EQ(cache.increment("n", 3), 3);
  EXPECT_EQ(cache.set("n", std::int64_t{1}, {.ttl = 0s}), SetResult::not_stored);
  EXPECT_FALSE(cache.exists("n"));
}

TEST_P(Counters, OfManyThreadsLoseAndRepeatNothing) {
  const auto each = static_cast<std::int64_t>(scaled(500));
  std::atomic<std::int64_t> sum{0};
  on_threads(8, [&](std::size_t) {
    for (std::int64_t i = 0; i < each; ++i) sum += cache.increment("n").value_or(0);
  });
  EXPECT_EQ(cache.get<std::int64_t>("n"), 8 * each);
  EXPECT_EQ(sum, 8 * each * (8 * each + 1) / 2) << "each value was handed out once";
}

struct SharedCounters : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, SharedCounters, redis_backends(), backend_name);

TEST_P(SharedCounters, AreExactForEveryManagerAtOnce) {
  CacheManager other = manager();
  EXPECT_EQ(cache.increment("n", 5), 5);
  EXPECT_EQ(other.get<std::int64_t>("n"), 5);
  EXPECT_EQ(other.increment("n", 2), 7);
  EXPECT_EQ(cache.get<std::int64_t>("n"), 7) << "no level in between keeps an older one";
  EXPECT_TRUE(other.del("n"));
  EXPECT_FALSE(cache.exists("n"));
}

TEST_P(SharedCounters, OfAnotherProgramAreCountersHere) {
  server->command({"SET", at_server("n"), "41"});
  EXPECT_EQ(cache.get<std::int64_t>("n"), 41);
  EXPECT_EQ(cache.increment("n"), 42);
  EXPECT_EQ(stored("n"), "42");
}

}  // namespace
}  // namespace dsta::cache
