// Two different functions never serve each other's values: not while both live, not after one is gone, and not when
// their keys happen to be spelled alike.
#include <dsta/cache/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

int plus_one(int n) { return n + 1; }
int plus_two(int n) { return n + 2; }
int source = 0;

struct CachedIdentity : ::testing::Test, testing::CleanCache {
  template <class F>
  std::string refusal(const EntryOptions& options, F&& function) {
    try {
      (void)cache.cached(options, std::forward<F>(function));
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "not refused";
  }
};

TEST_F(CachedIdentity, TwoFunctionsUnderOnePrefixAreRefused) {
  const auto here = [](unsigned line) { return "cached_identity_test.cpp:" + std::to_string(line); };
  const auto f = cache.cached({.prefix = "api"}, [](int n) { return n; });
  const std::string first = here(__LINE__ - 1);
  try {
    (void)cache.cached({.prefix = "api"}, [](int n) { return -n; });
    FAIL() << "not refused";
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("'api'"), HasSubstr(first), HasSubstr(here(__LINE__ - 3)), HasSubstr(".name"),
                                HasSubstr(".prefix")));
  }
  EXPECT_EQ(f(3), 3);
}

TEST_F(CachedIdentity, TwoFunctionsOfOneTypeAreRefusedToo) {
  const auto f = cache.cached({.prefix = "api"}, plus_one);
  EXPECT_THAT(refusal({.prefix = "api"}, plus_two), HasSubstr("two functions"));
  EXPECT_EQ(refusal({.prefix = "api"}, plus_one), "not refused");
}

TEST_F(CachedIdentity, AStatelessFunctionWrappedTwiceSharesItsValues) {
  int runs = 0;
  const auto count = [](int* counter) { return [counter](int n) { return ++*counter, n; }; };
  static int static_runs = 0;
  static_runs = 0;
  const auto stateless = [](int n) { return ++static_runs, n; };
  const auto f = cache.cached({.prefix = "twice"}, stateless), g = cache.cached({.prefix = "twice"}, stateless);
  EXPECT_EQ(f(1), g(1));
  EXPECT_EQ(static_runs, 1);
  // State that can be compared and is equal is the same function as well.
  const auto a = cache.cached({.prefix = "state"}, count(&runs)), b = cache.cached({.prefix = "state"}, count(&runs));
  EXPECT_EQ(a(1), b(1));
  EXPECT_EQ(runs, 1);
}

TEST_F(CachedIdentity, OneLambdaWithTwoStatesIsRefused) {
  const auto times = [](const std::string& unit) { return [unit](int n) { return std::to_string(n) + unit; }; };
  const auto f = cache.cached({.prefix = "unit"}, times("s"));
  EXPECT_THAT(refusal({.prefix = "unit"}, times("min")), AllOf(HasSubstr("captured state"), HasSubstr(".name")));
  EXPECT_EQ(f(1), "1s");
}

TEST_F(CachedIdentity, ASuccessorNeverSeesItsPredecessorsValues) {
  const auto times = [](int factor) { return [factor](int n) { return n * factor; }; };
  {
    const auto f = cache.cached({.prefix = "times"}, times(2));
    EXPECT_EQ(f(3), 6);
  }
  const auto g = cache.cached({.prefix = "times"}, times(5));
  EXPECT_EQ(g.peek(3), std::nullopt);
  EXPECT_EQ(g(3), 15);
}

TEST_F(CachedIdentity, TheSameFunctionWrappedAnewFindsItsValues) {
  int runs = 0;
  const auto wrap = [&] {
    return cache.cached({.prefix = "again"}, [counter = &runs](int n) { return ++*counter, n; });
  };
  EXPECT_EQ(wrap()(1), 1);
  EXPECT_EQ(wrap()(1), 1);
  EXPECT_EQ(runs, 1);
}

TEST_F(CachedIdentity, AWrapperTakesNoValueThatLacksOneOfItsTags) {
  const auto f = [](int) { return source; };
  source = 1;
  const auto one = cache.cached({.prefix = "tags", .tags = {"a", "x:{0}"}}, f);
  const auto same = cache.cached({.prefix = "tags", .tags = {"x:{0}", "a"}}, f);
  EXPECT_EQ(one(1), 1);
  source = 2;
  EXPECT_EQ(same(1), 1) << "the same tags in another order: the same values";
  const auto more = cache.cached({.prefix = "tags", .tags = {"a", "b", "x:{0}"}}, f);
  EXPECT_EQ(more.peek(1), std::nullopt);
  EXPECT_EQ(one.peek(1), 1);
  EXPECT_EQ(more(1), 2) << "with all of its tags";
  source = 3;
  EXPECT_EQ(one(1), 2) << "which is enough for the other";
  EXPECT_EQ(one.peek(1), 2);
  cache.invalidate_tag("b");
  EXPECT_EQ(more(1), 3);
  one.refresh(1);
  source = 4;
  cache.invalidate_tag("b");
  EXPECT_EQ(one(1), 3);
  EXPECT_EQ(more(1), 4) << "it would not have been reached";
}

TEST_F(CachedIdentity, AWrapperJoinsNoLoadThatLacksOneOfItsTags) {
  std::promise<void> goes_on;
  std::atomic<int> loads{0};
  static std::atomic<int>* counted = nullptr;
  static std::shared_future<void> gate;
  counted = &loads;
  gate = goes_on.get_future().share();
  const auto f = [](int) {
    const int mine = ++*counted;
    if (mine == 1) gate.wait();
    return mine;
  };
  const auto one = cache.cached({.prefix = "tags"}, f);
  const auto more = cache.cached({.prefix = "tags", .tags = {"b"}}, f);
  auto first = std::async(std::launch::async, [&] { return one(1); });
  while (loads == 0) std::this_thread::yield();
  EXPECT_EQ(more(1), 2);
  goes_on.set_value();
  EXPECT_EQ(first.get(), 1);
}

TEST_F(CachedIdentity, AWrapperWithOtherTagsServesNoOldValues) {
  const auto wrap = [&](std::vector<std::string> tags) {
    return cache.cached({.prefix = "tags", .tags = std::move(tags)}, [](int) { return source; });
  };
  source = 1;
  EXPECT_EQ(wrap({"old"})(1), 1);
  source = 2;
  EXPECT_EQ(wrap({"old"})(1), 1) << "the same tags, the same values";
  const auto f = wrap({"old", "new"});
  EXPECT_EQ(f.peek(1), std::nullopt);
  EXPECT_EQ(f(1), 2);
  source = 3;
  EXPECT_EQ(f(1), 2);
  cache.invalidate_tag("new");
  EXPECT_EQ(f(1), 3);
}

TEST_F(CachedIdentity, PrefixAndNameOfOneTextAreOneIdentity) {
  const auto f = cache.cached({.prefix = "a:b"}, plus_one);
  EXPECT_THAT(refusal({.prefix = "a", .name = "b"}, plus_two), HasSubstr("'a:b'"));
  EXPECT_EQ(refusal({.prefix = "a", .name = "c"}, plus_two), "not refused");
}

TEST_F(CachedIdentity, EqualKeysOfTwoFunctionsServeOnlyTheirOwn) {
  int runs = 0;
  const auto outer = cache.cached({.prefix = "api"},
                                  [&](const std::string& x, const std::string& y) { return ++runs, "outer " + x + y; });
  const auto inner =
      cache.cached({.prefix = "api", .name = "x"}, [&](const std::string& y) { return ++runs, "inner " + y; });
  ASSERT_EQ(outer.key_for("x", "y"), inner.key_for("y"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(outer("x", "y"), "outer xy");
    EXPECT_EQ(inner("y"), "inner y");
  }
  EXPECT_EQ(outer("x", "y"), "outer xy");
  EXPECT_EQ(inner.peek("y"), std::nullopt);
  inner.cache_clear();
  EXPECT_EQ(outer.peek("x", "y"), "outer xy") << "clearing one must not clear the other";
}

TEST_F(CachedIdentity, TwoManagersKeepTheSameIdentityApart) {
  CacheManager other;
  const auto f = cache.cached({.prefix = "api"}, plus_one);
  const auto g = other.cached({.prefix = "api"}, plus_two);
  EXPECT_EQ(f(1), 2);
  EXPECT_EQ(g(1), 3);
}

TEST_F(CachedIdentity, CopiesAreOneFunctionAndKeepItsIdentity) {
  auto f = std::make_unique<decltype(cache.cached({.prefix = "copy"}, plus_one))>(
      cache.cached({.prefix = "copy"}, plus_one));
  const auto copy = *f;
  EXPECT_EQ((*f)(1), 2);
  f.reset();
  EXPECT_EQ(copy.peek(1), 2);
  EXPECT_THAT(refusal({.prefix = "copy"}, plus_two), HasSubstr("two functions"));
}

TEST_F(CachedIdentity, AWrapperWithRefusedOptionsLeavesItFree) {
  EXPECT_THROW((void)cache.cached({.prefix = "p", .jitter = 2.0}, plus_one), ConfigError);
  EXPECT_EQ(refusal({.prefix = "p"}, plus_two), "not refused");
}

}  // namespace
}  // namespace dsta::cache
