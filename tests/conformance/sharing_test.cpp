// Two managers of one space on one server: what one stores the other finds, what one invalidates the other forgets.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "backend_test.hpp"
#include "eventually.hpp"
#include "on_threads.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Sharing : BackendTest {
  void SetUp() override {
    BackendTest::SetUp();
    if (!IsSkipped()) other = manager();
  }
  /// An in-process level hears of another process's write within a second; a server's value is read at once.
  template <class Condition>
  ::testing::AssertionResult soon(Condition holds) const {
    const bool holds_now = has_l1() ? eventually(holds, 1s) : holds();
    return holds_now ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "not within its time";
  }
  CacheManager other;
};
INSTANTIATE_TEST_SUITE_P(On, Sharing, redis_backends(), backend_name);

TEST_P(Sharing, ValuesWithTheirTtlAndType) {
  cache.set("k", "v", {.ttl = 60s, .prefix = "p"});
  const auto found = other.lookup("k", {.prefix = "p"});
  EXPECT_EQ(found.value, "v");
  EXPECT_EQ(found.source, Source::l2);
  // Soon: word of the write may come after the first read, and then makes the second one ask the server again.
  EXPECT_TRUE(soon([&] { return other.lookup("k", {.prefix = "p"}).source == (has_l1() ? Source::l1 : Source::l2); }));
  EXPECT_GT(other.get_ttl("p:k"), 50s);
  EXPECT_LE(other.get_ttl("p:k"), 60s);
  EXPECT_TRUE(other.exists("p:k"));
  EXPECT_FALSE(other.get<int>("p:k"));
}

TEST_P(Sharing, WhatAManualLoadStoredAFunctionTakesAtEveryLevel) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](int) { return -1; });
  const auto theirs = other.cached({.ttl = 60s, .prefix = "f"}, [](int) { return -1; });
  EXPECT_EQ(cache.get_or_load(f.key_for(1), [] { return 1; }, {.ttl = 60s}), 1);
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(theirs(1), 1);
  theirs.cache_clear();
  EXPECT_EQ(f(1), 1) << "it is of no function";
  EXPECT_EQ(f.invalidate_matching(), 1u);
  EXPECT_TRUE(soon([&] { return theirs(1) == -1; }));
  EXPECT_EQ(cache.get_or_load(f.key_for(1), [] { return 2; }, {.ttl = 60s}), -1) << "a manual call sees every entry";
}

TEST_P(Sharing, ALoadIsJoinedAlsoAfterItsLeaseWasRenewed) {
  std::atomic<int> loads = 0;
  std::atomic<bool> fails = true;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int i) {
    ++loads;
    std::this_thread::sleep_for(1600ms);
    if (fails) throw std::runtime_error("the source is down");
    return i;
  });
  for (const bool failing : {true, false}) {
    fails = failing;
    loads = 0;
    std::vector<std::jthread> callers;
    std::atomic<int> errors = 0, values = 0;
    for (const auto delay : {0ms, 400ms, 1200ms, 1300ms}) {
      callers.emplace_back([&, delay] {
        std::this_thread::sleep_for(delay);
        try {
          values += f(1);
        } catch (const std::runtime_error&) {
          ++errors;
        }
      });
    }
    callers.clear();
    EXPECT_EQ(errors, failing ? 4 : 0);
    EXPECT_EQ(values, failing ? 0 : 4);
    EXPECT_EQ(loads, 1);
  }
}

TEST_P(Sharing, AManualLoadThatCallsItsFunctionDoesNotWait) {
  for (const bool raw : {false, true}) {
    const auto f = cache.cached({.ttl = 60s, .prefix = raw ? "r" : "f", .raw = raw}, [](int i) { return i; });
    const EntryOptions options{.ttl = 60s, .raw = raw};
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(cache.get_or_load(
                    f.key_for(i), [&] { return f(i) + 10; }, options),
                i + 10);
      EXPECT_EQ(f(i), i + 10) << "the outer load has the lease";
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s) << "less than one of its own leases lasts";
  }
}

TEST_P(Sharing, NewValuesReplaceTheOldOnesHeldElsewhere) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(cache.set("k", i));
    ASSERT_TRUE(soon([&] { return other.get<int>("k") == i; })) << i;
    ASSERT_EQ(cache.get<int>("k"), i) << "one's own writes at once";
  }
}

TEST_P(Sharing, ClearingAFunctionForgetsEarlierReadsToo) {
  const auto theirs = other.cached({.ttl = 60s, .prefix = "f"}, [](int i) { return i; });
  ASSERT_TRUE(theirs.put(1, 1));
  ASSERT_TRUE(soon([&] { return cache.get<int>("f:1") == 1; }));
  const auto mine = cache.cached({.ttl = 60s, .prefix = "f"}, [](int i) { return i; });
  mine.cache_clear();
  EXPECT_FALSE(cache.get<int>("f:1", {.level = Level::l1}));
  EXPECT_FALSE(cache.get<int>("f:1"));
}

TEST_P(Sharing, EveryInvalidationReachesTheOther) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [](int i) { return i; });
  const auto theirs = other.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [](int) { return -1; });
  const std::pair<const char*, std::function<void()>> kWays[] = {
      {"del", [&] { cache.del(f.key_for(1)); }},
      {"invalidate", [&] { f.invalidate(1); }},
      {"delete_pattern", [&] { cache.delete_pattern("f:*"); }},
      {"invalidate_tag", [&] { cache.invalidate_tag("t"); }},
      {"cache_clear", [&] { f.cache_clear(); }},
      {"flush_all", [&] { cache.flush_all(); }},
      {"set with no ttl", [&] { cache.set(f.key_for(1), 0, {.ttl = 0s}); }}};
  for (const auto& [name, invalidate] : kWays) {
    SCOPED_TRACE(name);
    ASSERT_EQ(f(1), 1);
    ASSERT_TRUE(soon([&] { return theirs(1) == 1; })) << "the value of the first, not one of its own";
    invalidate();
    EXPECT_FALSE(f.peek(1)) << "here at once";
    EXPECT_TRUE(soon([&] { return !theirs.peek(1); }));
    theirs.invalidate(1);
    ASSERT_TRUE(soon([&] { return !f.peek(1); }));
  }
}

TEST_P(Sharing, OneLoadServesBoth) {
  std::atomic<int> loads = 0;
  const auto slow = [&](int i) {
    ++loads;
    std::this_thread::sleep_for(100ms);
    return i;
  };
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, slow);
  const auto g = other.cached({.ttl = 60s, .prefix = "f"}, slow);
  on_threads(16, [&](std::size_t i) { EXPECT_EQ(i % 2 ? f(7) : g(7), 7); });
  EXPECT_EQ(loads, 1);
}

TEST_P(Sharing, AnInvalidationElsewhereFencesALoadHere) {
  const std::pair<const char*, std::function<void()>> kWays[] = {
      {"del", [&] { other.del("f:1"); }},
      {"set", [&] { other.set("f:1", 100); }},
      {"delete_pattern", [&] { other.delete_pattern("f:*"); }},
      {"invalidate_tag", [&] { other.invalidate_tag("t"); }},
      {"flush_all", [&] { other.flush_all(); }}};
  std::function<void()> between = [] {};
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [&](int i) { return between(), i; });
  for (const auto& [name, invalidate] : kWays) {
    SCOPED_TRACE(name);
    cache.del("f:1");
    between = invalidate;
    EXPECT_EQ(f(1), 1);
    const bool is_set = std::string_view(name) == "set";
    EXPECT_TRUE(soon([&] { return is_set ? cache.get<int>("f:1") == 100 : !f.peek(1); }));
    EXPECT_TRUE(soon([&] { return is_set ? other.get<int>("f:1") == 100 : !other.get<int>("f:1"); }));
  }
}

TEST_P(Sharing, ClearingFencesALoadElsewhere) {
  const auto theirs = other.cached({.ttl = 60s, .prefix = "f"}, [](int i) { return i; });
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int i) { return theirs.cache_clear(), i; });
  EXPECT_EQ(f(1), 1);
  EXPECT_TRUE(soon([&] { return !f.peek(1); }));
  EXPECT_FALSE(other.get<int>("f:1"));
}

TEST_P(Sharing, TagsOfManualValuesAreSharedAndExpiringIsToo) {
  cache.set("k", "v", {.ttl = 60s, .tags = {"t"}, .stale_for = 60s});
  EXPECT_EQ(other.get("k"), "v");
  other.invalidate_tag("t", TagMode::expire);
  EXPECT_TRUE(soon([&] { return cache.lookup("k").stale; }));
  EXPECT_EQ(cache.get("k"), "v");
  other.invalidate_tag("t");
  EXPECT_TRUE(soon([&] { return !cache.get("k"); }));
  EXPECT_FALSE(other.get("k"));
}

TEST_P(Sharing, NotByManagersOfAnotherSpace) {
  CacheManager stranger = manager_of(space + "-other");
  cache.set("k", "v", {.tags = {"t"}});
  EXPECT_FALSE(stranger.get("k"));
  stranger.set("k", "theirs");
  stranger.invalidate_tag("t");
  stranger.delete_pattern("*");
  stranger.flush_all();
  EXPECT_EQ(cache.get("k"), "v");
  EXPECT_EQ(other.get("k"), "v");
}

TEST_P(Sharing, AValueOutlivesTheManagerThatStoredIt) {
  { manager().set("k", "v", {.ttl = 60s}); }
  EXPECT_EQ(cache.get("k"), "v");
}

}  // namespace
}  // namespace dsta::cache
