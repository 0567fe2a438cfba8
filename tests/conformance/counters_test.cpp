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

TEST_P(Counters, AreWhatALoadOfAnIntegerTypeFinds) {
  ASSERT_EQ(cache.increment("hits", 41), 41);
  ASSERT_EQ(cache.increment("f:1", 41), 41);
  const auto f =
      cache.cached({.ttl = 60s, .prefix = "f"}, [](int) -> int { throw std::runtime_error("not to be loaded"); })
          .key_builder([](int i) { return std::to_string(i); });
  for (const int sum : {42, 43}) {
    EXPECT_EQ(cache.increment("hits"), sum);
    EXPECT_EQ(cache.get_or_load("hits", [] { return 0; }), sum);
    EXPECT_EQ(cache.get_or_load("hits", [] { return std::uint8_t{0}; }), sum);
    EXPECT_EQ(cache.get_or_load("hits", [] { return std::int64_t{0}; }), sum);
    EXPECT_EQ(cache.increment("f:1"), sum);
    EXPECT_EQ(f(1), sum);
    EXPECT_EQ(f.many(std::vector<int>{1}).at(0), sum);
    ASSERT_TRUE(cache.set("set", std::int64_t{sum}, {.ttl = 60s}));
    EXPECT_EQ(cache.get_or_load("set", [] { return 0; }), sum) << "what is set by hand likewise";
  }
  ASSERT_TRUE(cache.increment("hits", 1000));
  EXPECT_EQ(cache.get_or_load("hits", [] { return std::uint8_t{7}; }), 7) << "a type that cannot hold it: a miss";
}

TEST_P(Counters, CountOnWhateverIsStoredAsAnInteger) {
  enum class Side { buy = 1, sell = 2 };
  ASSERT_TRUE(cache.set("side", Side::sell, {.ttl = 60s}));
  ASSERT_TRUE(cache.set("char", 'a', {.ttl = 60s}));
  ASSERT_TRUE(cache.set("bool", true, {.ttl = 60s}));
  EXPECT_EQ(cache.increment("side", 40), 42);
  EXPECT_EQ(cache.increment("char"), 'a' + 1);
  EXPECT_THROW(cache.increment("bool"), ValueError);
}

TEST_P(Counters, OnAFunctionsValueGoWithTheFunctionsCacheClear) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](std::int64_t i) { return i; });
  f(1);
  f.put(2, 5);
  for (const int i : {1, 2}) EXPECT_TRUE(cache.increment(f.key_for(i), 10));
  EXPECT_EQ(f(1), 11);
  EXPECT_EQ(f(2), 15);
  f.cache_clear();
  for (const int i : {1, 2}) EXPECT_FALSE(cache.get<std::int64_t>(f.key_for(i))) << i;
  EXPECT_EQ(f(2), 2);
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

/// The ttl of what is made under the prefix, in whole seconds; a second is room for the test itself.
void expect_about(const std::optional<Duration>& left, Duration whole) {
  ASSERT_TRUE(left);
  EXPECT_LE(*left, whole);
  EXPECT_GT(*left, whole - 10s);
}

TEST_P(Counters, TakeTheirTtlFromTheNarrowestScopeThatGivesOne) {
  CacheManager other = manager({.default_ttl = 50s, .defaults = {.ttl = 1000s}});
  other.set_preset("rate", {.ttl = 100s});
  ASSERT_TRUE(other.increment("n", 1, {.prefix = "rate"}));
  expect_about(other.get_ttl("n", {.prefix = "rate"}), 100s);
  ASSERT_TRUE(other.increment("m", 1, {.ttl = 600s, .prefix = "rate"}));
  expect_about(other.get_ttl("m", {.prefix = "rate"}), 600s);
  ASSERT_TRUE(other.increment("n"));
  expect_about(other.get_ttl("n"), 1000s);
  ASSERT_TRUE(other.increment("o", 1, {.ttl = forever, .prefix = "rate"}));
  EXPECT_EQ(other.get_ttl("o", {.prefix = "rate"}), forever);
}

TEST_P(Counters, LiveForEverWhateverTheManagersDefaultTtlIs) {
  CacheManager other = manager({.default_ttl = 50s});
  other.set_preset("rate", {.jitter = 0.5});
  ASSERT_TRUE(other.increment("n"));
  EXPECT_EQ(other.get_ttl("n"), forever);
  ASSERT_TRUE(other.increment("n", 1, {.prefix = "rate"}));
  EXPECT_EQ(other.get_ttl("n", {.prefix = "rate"}), forever) << "there is no ttl to be shortened";
}

TEST_P(Counters, AreMadeWithTheJitterThatIsSet) {
  cache.set_preset("rate", {.ttl = 1000s, .jitter = 0.5});
  Duration least = forever, most{};
  for (int i = 0; i < 40; ++i) {
    const std::string name = "n" + std::to_string(i);
    cache.increment(name, 1, {.prefix = "rate"});
    const Duration left = cache.get_ttl(name, {.prefix = "rate"}).value_or(Duration{});
    least = std::min(least, left);
    most = std::max(most, left);
  }
  EXPECT_GE(least, 490s);
  EXPECT_LE(most, 1000s);
  EXPECT_GT(most - least, 50s);
}

TEST_P(Counters, OfALevelByPresetAreCountedThereByEveryCall) {
  if (!has_l1()) GTEST_SKIP() << "no such level";
  cache.set_preset("own", {.level = Level::l1});
  EXPECT_EQ(cache.increment("n", 1, {.prefix = "own"}), 1);
  EXPECT_EQ(cache.increment("n", 1, {.prefix = "own"}), 2);
  EXPECT_EQ(cache.get<int>("n", {.prefix = "own"}), 2);
  EXPECT_EQ(cache.get_ttl("n", {.prefix = "own"}), forever);
  if (!embedded()) {
    EXPECT_EQ(stored("own:n"), "(nil)");
    EXPECT_FALSE(cache.exists("n", {.prefix = "own", .level = Level::l2}));
  }
  EXPECT_TRUE(cache.del("n", {.prefix = "own"}));
  EXPECT_FALSE(cache.exists("n", {.prefix = "own"}));
}

TEST_P(Counters, AreNotCountedWithATtlOfZeroAndStayAsTheyAre) {
  for (const Duration none : {Duration(0s), Duration(-1s), Duration::min()}) {
    EXPECT_FALSE(cache.increment("new", 1, {.ttl = none}));
    EXPECT_FALSE(cache.exists("new"));
  }
  cache.set_preset("off", {.ttl = 0s});
  EXPECT_FALSE(cache.increment("n", 1, {.prefix = "off"}));
  EXPECT_EQ(cache.increment("n", 5, {.ttl = 600s, .prefix = "off"}), 5);
  EXPECT_FALSE(cache.increment("n", 1, {.prefix = "off"}));
  EXPECT_EQ(cache.get<int>("n", {.prefix = "off"}), 5);
  expect_about(cache.get_ttl("n", {.prefix = "off"}), 600s);
}

TEST_P(Counters, HaveNoNegativeTtlHoweverLongTheyLive) {
  int made = 0;
  for (const Duration ttl : {Duration(24h * 365 * 100), Duration(24h * 365 * 291), Duration(24h * 365 * 292),
                             forever - 1s, forever - 1ms, forever - 1us, forever - 1ns, forever}) {
    const std::string name = "n" + std::to_string(made++);
    ASSERT_EQ(cache.increment(name, 1, {.ttl = ttl}), 1) << ttl.count();
    const auto left = cache.get_ttl(name);
    ASSERT_TRUE(left) << ttl.count();
    EXPECT_GT(*left, std::min(ttl, Duration(24h * 365 * 290)) - 1h) << ttl.count();
    EXPECT_TRUE(cache.exists(name));
    EXPECT_EQ(cache.increment(name), 2);
  }
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

TEST_P(SharedCounters, OfAnotherProgramHaveNoNegativeTtl) {
  for (const std::string life : {"9223372036854", "9223372036855", "100000000000000", "4611686018427387904"}) {
    server->command({"SET", at_server("n"), "1", "PX", life});
    ASSERT_EQ(stored("n"), "1") << life;
    const auto left = cache.get_ttl("n");
    ASSERT_TRUE(left) << life;
    EXPECT_GT(*left, Duration(24h * 365 * 291)) << life;
  }
}

TEST_P(SharedCounters, OfAnotherProgramAreCountersHere) {
  server->command({"SET", at_server("n"), "41"});
  EXPECT_EQ(cache.get<std::int64_t>("n"), 41);
  EXPECT_EQ(cache.increment("n"), 42);
  EXPECT_EQ(stored("n"), "42");
}

}  // namespace
}  // namespace dsta::cache
