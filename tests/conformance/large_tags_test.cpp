// Tags longer, and more of them, than an entry at the server can note.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <dsta/cache.hpp>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

/// Two that differ beyond what a short form can show.
const std::string kLong = std::string(70'000, 'a') + "1", kOther = std::string(70'000, 'a') + "2";

struct LargeTags : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, LargeTags, all_backends(), backend_name);

TEST_P(LargeTags, ALongTagInvalidatesWhatWasSetWithItAndNothingElse) {
  for (const TagMode mode : {TagMode::remove, TagMode::expire}) {
    ASSERT_TRUE(cache.set("one", 1, {.tags = {kLong}}));
    ASSERT_TRUE(cache.set("other", 2, {.tags = {kOther, "t"}}));
    for (const SetResult result : cache.set_many<int>({{"a", 1}, {"b", 2}}, {.tags = {"t", kLong}})) {
      ASSERT_TRUE(result) << result.reason();
    }
    EXPECT_EQ(cache.get<int>("one"), 1);
    cache.invalidate_tag(kLong, mode);
    EXPECT_FALSE(cache.get<int>("one"));
    EXPECT_FALSE(cache.get<int>("a"));
    EXPECT_FALSE(cache.get<int>("b"));
    EXPECT_EQ(cache.get<int>("other"), 2);
    cache.invalidate_tag(kOther, mode);
    EXPECT_FALSE(cache.get<int>("other"));
  }
}

TEST_P(LargeTags, ALongArgumentInATagIsLikeAShortOne) {
  int loads = 0;
  auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t:{0}"}}, [&](const std::string&, int n) {
    ++loads;
    return n;
  });
  EXPECT_EQ(f(kLong, 1), 1);
  EXPECT_EQ(f(kOther, 2), 2);
  EXPECT_EQ(f(kLong, 1), 1);
  EXPECT_EQ(f.peek(kLong, 1), 1);
  EXPECT_EQ(loads, 2);
  EXPECT_TRUE(f.put(kLong, 3, 33));
  EXPECT_EQ(f(kLong, 3), 33);
  for (const auto& outcome : f.many(std::vector<std::tuple<std::string, int>>{{kLong, 1}, {kLong, 4}, {kOther, 2}})) {
    EXPECT_TRUE(outcome);
  }
  EXPECT_EQ(loads, 3);
  cache.invalidate_tag("t:" + kLong);
  EXPECT_FALSE(f.peek(kLong, 1));
  EXPECT_FALSE(f.peek(kLong, 3));
  EXPECT_FALSE(f.peek(kLong, 4));
  EXPECT_EQ(f.peek(kOther, 2), 2);
  EXPECT_EQ(f.refresh(kLong, 1), 1);
  EXPECT_EQ(f.peek(kLong, 1), 1);
}

TEST_P(LargeTags, ALongTagThatOnlyTheValueNamesIsLikeAShortOne) {
  auto adaptive = cache.cached({.ttl = 60s, .prefix = "adaptive"}, [](int n) { return n; }).adaptive_tags([](int n) {
    return std::vector<std::string>{n == 1 ? kLong : kOther};
  });
  auto added = cache.cached({.ttl = 60s, .prefix = "added"}, [](int n, LoadContext<int>& context) {
    context.add_tag(n == 1 ? kLong : kOther);
    return n;
  });
  for (const int n : {1, 2}) {
    EXPECT_EQ(adaptive(n), n);
    EXPECT_EQ(added(n), n);
    EXPECT_EQ(adaptive.peek(n), n);
    EXPECT_EQ(added.peek(n), n);
  }
  cache.invalidate_tag(kLong);
  EXPECT_FALSE(adaptive.peek(1));
  EXPECT_FALSE(added.peek(1));
  EXPECT_EQ(adaptive.peek(2), 2);
  EXPECT_EQ(added.peek(2), 2);
}

TEST_P(LargeTags, AnotherManagerTakesAndInvalidatesALongTag) {
  if (embedded()) GTEST_SKIP() << "embedded managers share nothing";
  CacheManager second = manager();
  ASSERT_TRUE(cache.set("one", 1, {.tags = {kLong}}));
  ASSERT_EQ(second.get<int>("one"), 1);
  second.invalidate_tag(kLong);
  EXPECT_FALSE(second.get<int>("one"));
  for (int i = 0; i < 500 && cache.get<int>("one"); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(cache.get<int>("one"));
}

TEST_P(LargeTags, AValueOfTooManyTagsIsHandedOut) {
  std::vector<std::string> tags;
  for (int i = 0; i < 65'535; ++i) tags.push_back(std::to_string(i));
  const SetResult set = cache.set("k", 1, {.tags = tags});
  if (!embedded()) {
    EXPECT_FALSE(set);
    EXPECT_NE(set.reason().find("more tags"), std::string_view::npos) << set.reason();
  }
  auto named = cache.cached({.ttl = 60s, .prefix = "named", .tags = tags}, [](int n) { return n; });
  EXPECT_EQ(named(1), 1);
  EXPECT_EQ(named.peek(1).has_value(), bool(set));
  EXPECT_EQ(bool(named.put(2, 2)), bool(set));
  auto adaptive = cache.cached({.ttl = 60s, .prefix = "adaptive"}, [](int n) { return n; }).adaptive_tags([&](int) {
    return tags;
  });
  EXPECT_EQ(adaptive(1), 1);
  EXPECT_EQ(adaptive.peek(1).has_value(), bool(set));
}

TEST_P(LargeTags, ANameThatNoEntryAtTheServerCanNoteIsAConfigError) {
  const auto wrap = [&](std::size_t bytes, Level level) {
    return cache.cached({.ttl = 60s, .prefix = std::string(bytes, 'p'), .level = level}, [](int n) { return n; });
  };
  EXPECT_EQ(wrap(65'534, Level::both)(1), 1);
  EXPECT_EQ(wrap(65'534, Level::both).peek(1), 1);
  EXPECT_EQ(wrap(65'535, Level::l1)(2), 2);
  if (embedded()) {
    EXPECT_EQ(wrap(65'535, Level::both)(3), 3);
  } else {
    EXPECT_THROW(wrap(65'535, Level::both), ConfigError);
  }
}

}  // namespace
}  // namespace dsta::cache
