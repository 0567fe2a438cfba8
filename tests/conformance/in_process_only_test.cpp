// Values that never leave the process: without a codec, and with a server beside them.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend_test.hpp"

namespace dsta::cache::conformance {

/// Only this process can call it.
struct Model {
  std::function<int(int)> run;
};

}  // namespace dsta::cache::conformance

template <>
inline constexpr bool dsta::cache::in_process_only<dsta::cache::conformance::Model> = true;

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using conformance::Model;

struct InProcessOnly : BackendTest {
  void SetUp() override {
    BackendTest::SetUp();
    if (!has_l1()) GTEST_SKIP() << "nothing is kept in the process";
  }
};

/// With L1 off there is no place for them.
struct InProcessOnlyWithoutL1 : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, InProcessOnlyWithoutL1, ::testing::Values(Backend::redis), backend_name);

INSTANTIATE_TEST_SUITE_P(On, InProcessOnly, all_backends(), backend_name);

Model adding(int n) {
  return {[n](int i) { return i + n; }};
}

static_assert(!Codable<Model> && !detail::kTypeOps<Model>.shareable && detail::kTypeOps<Model>.codec.empty());
static_assert(!detail::kTypeOps<std::optional<Model>>.shareable &&
              !detail::kTypeOps<std::shared_ptr<const Model>>.shareable &&
              !detail::kTypeOps<std::vector<std::pair<int, Model>>>.shareable && detail::kTypeOps<int>.shareable);

TEST_P(InProcessOnlyWithoutL1, EachCallLoads) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "model"}, adding);
  EXPECT_EQ(f(2).run(1), 3);
  EXPECT_EQ(f(2).run(1), 3);
  EXPECT_EQ(f.cache_info().loads, 2U);
  EXPECT_FALSE(f.peek(2));
  EXPECT_NE(cache.set("m", adding(1)), SetResult::stored);
  EXPECT_FALSE(cache.get<Model>("m"));
  EXPECT_EQ(stored("m"), "(nil)");
}

TEST_P(InProcessOnly, AWrapperKeepsThem) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "model"}, adding);
  EXPECT_EQ(f(2).run(1), 3);
  EXPECT_EQ(f(2).run(5), 7);
  EXPECT_EQ(f.cache_info().loads, 1U) << "the second call was a hit";
  ASSERT_TRUE(f.peek(2));
  EXPECT_EQ(f.shared(2)->run(0), 2);
  EXPECT_TRUE(f.invalidate(2));
  EXPECT_FALSE(f.peek(2));
  EXPECT_EQ(f(2).run(1), 3);
  EXPECT_EQ(f.cache_info().loads, 2U);
  f.cache_clear();
  EXPECT_FALSE(f.peek(2));
}

TEST_P(InProcessOnly, ManualCallsKeepThem) {
  ASSERT_EQ(cache.set("m", adding(1), {.ttl = 60s}), SetResult::stored);
  ASSERT_TRUE(cache.get<Model>("m"));
  EXPECT_EQ(cache.get<Model>("m")->run(1), 2);
  EXPECT_EQ(cache.get_many<Model>({"m", "none"})[0]->run(1), 2);
  EXPECT_EQ(cache.set_many<Model>({{"a", adding(1)}, {"b", adding(2)}})[1], SetResult::stored);
  EXPECT_EQ(cache.get<Model>("b")->run(0), 2);
  EXPECT_EQ(cache.get_or_load("c", [] { return adding(3); }).run(0), 3);
  EXPECT_EQ(cache.get<Model>("c")->run(0), 3);
  EXPECT_FALSE(cache.get<int>("m")) << "another type";
  cache.del("m");
  EXPECT_FALSE(cache.get<Model>("m"));
}

TEST_P(InProcessOnly, TagsInvalidateThem) {
  cache.set("m", adding(1), {.ttl = 60s, .tags = {"models"}});
  ASSERT_TRUE(cache.get<Model>("m"));
  cache.invalidate_tag("models");
  EXPECT_FALSE(cache.get<Model>("m"));
}

TEST_P(InProcessOnly, AnotherManagerLoadsThemForItself) {
  if (embedded()) return;
  auto other = manager();
  const auto f = cache.cached({.ttl = 60s, .prefix = "model"}, adding);
  const auto g = other.cached({.ttl = 60s, .prefix = "model"}, adding);
  EXPECT_EQ(f(2).run(1), 3);
  EXPECT_FALSE(g.peek(2)) << "nothing is at the server";
  EXPECT_EQ(g(2).run(1), 3);
  EXPECT_EQ(g.cache_info().loads, 1U);
  EXPECT_TRUE(f.peek(2)) << "and the other keeps its own";
}

TEST_P(InProcessOnly, WhateverTheLevel) {
  for (const Level level : {Level::both, Level::l1, Level::l2}) {
    const auto f =
        cache.cached({.ttl = 60s, .prefix = "level" + std::to_string(static_cast<int>(level)), .level = level}, adding);
    EXPECT_EQ(f(1).run(1), 2);
    EXPECT_EQ(f(1).run(1), 2);
    EXPECT_EQ(f.cache_info().loads, 1U) << static_cast<int>(level);
  }
}

/// Every call that reads finds them, and every removal ends them.
TEST_P(InProcessOnly, EveryReadFindsThemWhateverTheLevelAlsoRaw) {
  const auto check = [&](auto f, auto value) {
    SCOPED_TRACE(f.key_for(value));
    EXPECT_FALSE(f.peek(value));
    (void)f(value);
    EXPECT_TRUE(f.peek(value));
    (void)f.shared(value);
    EXPECT_EQ(f.cache_info().loads, 1U);
    EXPECT_TRUE(f.invalidate(value));
    EXPECT_FALSE(f.peek(value));
    EXPECT_TRUE(f.put(value, f(value)));
    EXPECT_TRUE(f.peek(value));
    f.cache_clear();
    EXPECT_FALSE(f.peek(value));
  };
  for (const bool raw : {false, true}) {
    for (const Level level : {Level::both, Level::l1, Level::l2}) {
      const std::string prefix = std::to_string(static_cast<int>(level)) + (raw ? "raw" : "");
      const EntryOptions options{.ttl = 60s, .prefix = "model" + prefix, .level = level, .raw = raw};
      check(cache.cached(options, adding), 1);
      // Keys of such calls say the type of their argument only roughly.
      check(cache.cached({.ttl = 60s, .prefix = "open" + prefix, .level = level, .raw = raw},
                         [](const auto& list) { return list.size(); }),
            std::vector<std::vector<int>>{{1}, {2}});
      const auto f = cache.cached(options, adding);
      (void)f.many({1, 2});
      const auto before = f.cache_info();
      EXPECT_EQ(f.many({1, 2, 2})[1]->run(1), 3);
      EXPECT_EQ(f.cache_info().loads, before.loads);
      EXPECT_EQ(f.cache_info().hits, before.hits + 2);
    }
  }
}

}  // namespace
}  // namespace dsta::cache
