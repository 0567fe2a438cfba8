// Values by key: each call of the manager keeps its promise, wherever the values are kept.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "backend_test.hpp"
#include "eventually.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Values : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, Values, all_backends(), backend_name);

TEST_P(Values, WhatWasSetIsThereAtOnceUnderItsPrefixAndNoOther) {
  EXPECT_EQ(cache.set("k", "v", {.ttl = 60s, .prefix = "p"}), SetResult::stored);
  EXPECT_EQ(cache.get("k", {.prefix = "p"}), "v");
  EXPECT_EQ(cache.get("p:k"), "v") << "the joined key is the public name";
  EXPECT_FALSE(cache.get("k"));
  EXPECT_FALSE(cache.get("k", {.prefix = "q"}));
  EXPECT_FALSE(cache.get("k", {.prefix = "p:k"}));
}

TEST_P(Values, ALaterSetReplacesValueTypeAndTtl) {
  cache.set("k", "v", {.ttl = 60s});
  cache.set("k", 7, {.ttl = 600s});
  EXPECT_FALSE(cache.get("k"));
  EXPECT_EQ(cache.get<int>("k"), 7);
  EXPECT_GT(cache.get_ttl("k"), 590s);
}

TEST_P(Values, GetOrGivesTheFallbackAndStoresNothing) {
  EXPECT_EQ(cache.get_or("k", "fallback"), "fallback");
  EXPECT_FALSE(cache.exists("k"));
  cache.set("k", "v");
  EXPECT_EQ(cache.get_or("k", "fallback"), "v");
  EXPECT_EQ(cache.get_or("k", 5), 5) << "a value of another type is none";
}

TEST_P(Values, GetOrLoadLoadsOnceAndStores) {
  int loads = 0;
  const auto load = [&] { return ++loads, std::string("loaded"); };
  EXPECT_EQ(cache.get_or_load("k", load, {.ttl = 60s, .prefix = "p"}), "loaded");
  EXPECT_EQ(cache.get_or_load("k", load, {.ttl = 60s, .prefix = "p"}), "loaded");
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(cache.get("p:k"), "loaded");
  EXPECT_LE(cache.get_ttl("p:k"), 60s);
}

TEST_P(Values, GetOrLoadPassesTheLoadersExceptionOnAndStoresNothing) {
  const auto failing = []() -> int { throw std::domain_error("down"); };
  for (int i = 0; i < 2; ++i) EXPECT_THROW(cache.get_or_load("k", failing), std::domain_error);
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_EQ(cache.get_or_load("k", [] { return 5; }), 5);
}

TEST_P(Values, LookupTellsSourceAgeAndStaleness) {
  const auto absent = cache.lookup("k");
  EXPECT_FALSE(absent);
  EXPECT_EQ(absent.source, Source::none);
  cache.set("k", "v", {.ttl = 200ms, .stale_for = 60s});
  std::this_thread::sleep_for(50ms);
  const auto fresh = cache.lookup("k");
  EXPECT_EQ(fresh.value, "v");
  EXPECT_EQ(fresh.source, has_l1() ? Source::l1 : Source::l2);
  EXPECT_GE(fresh.age, 30ms);
  EXPECT_LT(fresh.age, 10s);
  EXPECT_TRUE(eventually([&] { return cache.lookup("k").stale; }));
  EXPECT_EQ(cache.lookup("k").value, "v");
  EXPECT_EQ(cache.get_ttl("k"), 0s);
  EXPECT_TRUE(cache.exists("k"));
}

TEST_P(Values, GetTtlIsTheTimeLeft) {
  EXPECT_FALSE(cache.get_ttl("k"));
  cache.set("k", "v", {.ttl = 600s});
  EXPECT_GT(cache.get_ttl("k"), 590s);
  EXPECT_LE(cache.get_ttl("k"), 600s);
  cache.set("default", "v");
  EXPECT_GT(cache.get_ttl("default"), 290s);
  EXPECT_LE(cache.get_ttl("default"), 300s);
  cache.set("forever", "v", {.ttl = forever});
  EXPECT_EQ(cache.get_ttl("forever"), forever);
}

TEST_P(Values, ATtlOfZeroOrLessStoresNothingAndRemovesWhatWasThere) {
  for (const Duration ttl : {0s, -1s}) {
    cache.set("k", "v");
    EXPECT_EQ(cache.set("k", "w", {.ttl = ttl}), SetResult::not_stored);
    EXPECT_FALSE(cache.exists("k"));
    EXPECT_FALSE(cache.get("k"));
  }
}

TEST_P(Values, ATtlUnderASecondIsKept) {
  cache.set("k", "v", {.ttl = 120ms});
  EXPECT_EQ(cache.get("k"), "v");
  EXPECT_LE(cache.get_ttl("k"), 120ms);
  EXPECT_TRUE(eventually([&] { return !cache.get("k"); }, 2s));
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_FALSE(cache.get_ttl("k"));
}

TEST_P(Values, DelSaysWhetherThereWasSomething) {
  cache.set("k", "v", {.prefix = "p"});
  EXPECT_FALSE(cache.del("k"));
  EXPECT_TRUE(cache.del("k", {.prefix = "p"}));
  EXPECT_FALSE(cache.del("k", {.prefix = "p"}));
  EXPECT_FALSE(cache.get("k", {.prefix = "p"}));
  cache.increment("n");
  EXPECT_TRUE(cache.del("n"));
  EXPECT_EQ(cache.increment("n"), 1);
}

TEST_P(Values, ManyAtOnceAreTheSameAsOneByOne) {
  const auto results = cache.set_many<int>({{"a", 1}, {"b", 2}, {"a", 3}}, {.ttl = 60s, .prefix = "many"});
  ASSERT_EQ(results.size(), 3u);
  for (const SetResult& result : results) EXPECT_TRUE(result);
  const std::vector<std::optional<int>> expected{3, std::nullopt, 2, 3};
  EXPECT_EQ(cache.get_many<int>({"a", "absent", "b", "a"}, {.prefix = "many"}), expected);
  EXPECT_TRUE(cache.get_many<int>({}).empty());
  EXPECT_EQ(cache.del_many({"a", "absent", "b", "b"}, {.prefix = "many"}), 2u);
  EXPECT_EQ(cache.get_many<int>({"a", "b"}, {.prefix = "many"}), std::vector<std::optional<int>>(2));
}

TEST_P(Values, AThousandAtOnceComeBackInOrder) {
  std::vector<std::pair<std::string, int>> items;
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    items.emplace_back("k" + std::to_string(i), i);
    keys.push_back(items.back().first);
  }
  cache.set_many(items, {.prefix = "many"});
  const auto found = cache.get_many<int>(keys, {.prefix = "many"});
  ASSERT_EQ(found.size(), keys.size());
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(found[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(cache.del_many(keys, {.prefix = "many"}), 1000u);
}

TEST_P(Values, AKeyThatCannotBeUsedIsAKeyErrorInEveryCall) {
  for (const std::string& key : {std::string(), std::string(kMaxKeyBytes + 1, 'k')}) {
    EXPECT_THROW(cache.set(key, 1), KeyError);
    EXPECT_THROW((void)cache.get(key), KeyError);
    EXPECT_THROW(cache.del(key), KeyError);
    EXPECT_THROW((void)cache.exists(key), KeyError);
    EXPECT_THROW((void)cache.get_ttl(key), KeyError);
    EXPECT_THROW(cache.increment(key), KeyError);
    EXPECT_THROW((void)cache.get_many({"good", key}), KeyError);
    EXPECT_THROW(cache.get_or_load(key, [] { return 1; }), KeyError);
  }
}

/// One walk through the calls for a way to connect that differs in nothing else.
struct UnixSocket : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, UnixSocket, ::testing::Values(Backend::unix_socket), backend_name);

TEST_P(UnixSocket, CarriesEveryKindOfCall) {
  if (testing_support::ServerUnderTest::clustered()) GTEST_SKIP() << "a cluster is not reached by a socket";
  EXPECT_TRUE(cache.set("k", "v", {.tags = {"t"}}));
  EXPECT_EQ(cache.get("k"), "v");
  EXPECT_EQ(cache.increment("n", 5), 5);
  EXPECT_EQ(cache.get_or_load("loaded", [] { return 7; }), 7);
  EXPECT_EQ(server->command({"EXISTS", at_server("k"), at_server("n"), at_server("loaded")}), "3");
  cache.invalidate_tag("t");
  EXPECT_FALSE(cache.get("k"));
  EXPECT_EQ(cache.delete_pattern("load*"), 1u);
  cache.flush_all();
  EXPECT_FALSE(cache.exists("n"));
}

}  // namespace
}  // namespace dsta::cache
