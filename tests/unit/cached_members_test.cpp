// What the wrapper's members do besides calling: peek, put, refresh, invalidate, shared, many, cache_info, cache_clear.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace dsta::cache {
namespace {
/// Counts how often it is copied.
struct Book {
  Book(int depth_) : depth(depth_) {}
  Book(const Book& other) : depth(other.depth) { ++copies; }
  Book(Book&&) = default;
  Book& operator=(const Book&) = default;
  Book& operator=(Book&&) = default;
  int depth;
  static inline std::atomic<int> copies{0};
};
}  // namespace

template <>
struct codec<Book> {
  static constexpr std::string_view name = "book/1";
  static void encode(const Book& book, std::string& out) { out += std::to_string(book.depth); }
  static std::optional<Book> decode(std::string_view bytes) { return Book(std::stoi(std::string(bytes))); }
};

namespace {

using namespace std::chrono_literals;

struct CachedMembers : ::testing::Test, testing::CleanCache {
  /// Returns n and the number of the run.
  auto numbered(EntryOptions options) {
    return cache.cached(options, [this](int n) { return ++runs, n * 1000 + runs; });
  }
  int runs = 0;
};

TEST_F(CachedMembers, PeekNeitherRunsTheFunctionNorCounts) {
  const auto f = numbered({.prefix = "peek"});
  EXPECT_EQ(f.peek(1), std::nullopt);
  EXPECT_EQ(f(1), 1001);
  EXPECT_EQ(f.peek(1), 1001);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(cache.get_stats().total_requests, 1u);
}

TEST_F(CachedMembers, WhatIsPutFunctionAndManualCallsReturn) {
  const auto f = numbered({.ttl = 60s, .prefix = "put", .tags = {"t:{0}"}});
  EXPECT_TRUE(f.put(1, 7));
  EXPECT_EQ(f(1), 7);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(cache.get<int>(f.key_for(1)), 7);
  EXPECT_EQ(cache.get_ttl(f.key_for(1)), 60s);
  EXPECT_EQ(f.cache_info().sets, 1u);
  cache.invalidate_tag("t:1");
  EXPECT_EQ(f.peek(1), std::nullopt);
}

TEST_F(CachedMembers, WhatIsSetUnderItsKeyTheFunctionReturns) {
  const auto f = numbered({.prefix = "hand"});
  EXPECT_TRUE(cache.set(f.key_for(1), 8));
  EXPECT_EQ(f(1), 8);
  EXPECT_TRUE(cache.del(f.key_for(1)));
  EXPECT_EQ(f(1), 1001);
  EXPECT_EQ(f.key_for(1), "hand:1");
}

TEST_F(CachedMembers, AValueOfAnotherTypeUnderItsKeyIsAMiss) {
  const auto f = numbered({.prefix = "type"});
  cache.set(f.key_for(1), std::string("text"));
  EXPECT_EQ(f.peek(1), std::nullopt);
  EXPECT_EQ(f(1), 1001);
  EXPECT_EQ(cache.get<std::string>(f.key_for(1)), std::nullopt);
}

// Over 256 bytes a key is shortened: what key_for says must still find the entry.
TEST_F(CachedMembers, ALongKeyIsFoundByTheManualCallsToo) {
  const auto f = cache.cached({.prefix = "long"}, [](const std::string& text) { return text.size(); });
  const std::string argument(5'000, 'x');
  EXPECT_EQ(f(argument), argument.size());
  EXPECT_TRUE(cache.exists(f.key_for(argument)));
  EXPECT_TRUE(cache.del(f.key_for(argument)));
  EXPECT_EQ(f.peek(argument), std::nullopt);
}

TEST_F(CachedMembers, LongKeysThatDifferOnlyFarBehindAreTwoEntries) {
  const auto f = cache.cached({.prefix = "long"}, [](const std::string& text) { return text; });
  const std::string one = std::string(5'000, 'x') + "1", two = std::string(5'000, 'x') + "2";
  EXPECT_EQ(f(one), one);
  EXPECT_EQ(f(two), two);
  EXPECT_EQ(f.cache_info().misses, 2u);
  EXPECT_EQ(f(one), one);
  EXPECT_EQ(f.cache_info().hits, 1u);
}

TEST_F(CachedMembers, RefreshStoresANewValueAndANewTtl) {
  const auto f = numbered({.ttl = 60s, .prefix = "refresh"});
  EXPECT_EQ(f(1), 1001);
  clock->advance(50s);
  EXPECT_EQ(f.refresh(1), 1002);
  EXPECT_EQ(cache.get_ttl(f.key_for(1)), 60s);
  clock->advance(50s);
  EXPECT_EQ(f(1), 1002);
}

TEST_F(CachedMembers, ARefreshThatFailsLeavesTheOldValue) {
  bool down = false;
  const auto f = cache.cached({.prefix = "down"}, [&](int n) { return down ? throw std::runtime_error("down") : n; });
  EXPECT_EQ(f(1), 1);
  down = true;
  EXPECT_THROW(f.refresh(1), std::runtime_error);
  EXPECT_EQ(f(1), 1);
}

TEST_F(CachedMembers, InvalidateForgetsOneSetOfArguments) {
  const auto f = numbered({.prefix = "invalidate"});
  f(1), f(2);
  EXPECT_TRUE(f.invalidate(1));
  EXPECT_FALSE(f.invalidate(1));
  EXPECT_EQ(f.peek(1), std::nullopt);
  EXPECT_EQ(f.peek(2), 2002);
}

TEST_F(CachedMembers, CacheClearForgetsThisFunctionOnly) {
  const auto f = numbered({.prefix = "p", .name = "f"});
  const auto g = cache.cached({.prefix = "p", .name = "g"}, [](int n) { return n; });
  f(1), f(2), g(1);
  cache.set("by hand", 1, {.prefix = "p"});
  f.cache_clear();
  EXPECT_EQ(f.peek(1), std::nullopt);
  EXPECT_EQ(f.peek(2), std::nullopt);
  EXPECT_FALSE(cache.exists(f.key_for(1)));
  EXPECT_EQ(g.peek(1), 1);
  EXPECT_TRUE(cache.exists("by hand", {.prefix = "p"}));
  EXPECT_EQ(f(1), 1003) << "a cleared function caches again";
  EXPECT_EQ(f(1), 1003);
}

TEST_F(CachedMembers, SharedHandsOutOneObjectWithoutCopies) {
  const auto f = cache.cached({.prefix = "shared"}, [](int n) { return Book(n); });
  Book::copies = 0;
  const auto first = f.shared(5), second = f.shared(5);
  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(Book::copies, 0);
  EXPECT_EQ(f(5).depth, 5);
  EXPECT_EQ(Book::copies, 1);
  f.invalidate(5);
  f.cache_clear();
  EXPECT_EQ(first->depth, 5) << "a value in hand outlives its entry";
}

TEST_F(CachedMembers, ManyLoadsEachArgumentOnceInTheOrderOfTheItems) {
  const auto f = numbered({.prefix = "many"});
  f(2);
  const auto values = f.many({3, 2, 3, 1});
  ASSERT_EQ(values.size(), 4u);
  EXPECT_EQ(*values[0], 3002);
  EXPECT_EQ(*values[1], 2001);
  EXPECT_EQ(*values[2], 3002);
  EXPECT_EQ(*values[3], 1003);
  EXPECT_TRUE(f.many(std::vector<int>{}).empty());
}

TEST_F(CachedMembers, ManySpreadsTuplesAndKeepsEachItemsError) {
  const auto f = cache.cached({.prefix = "many2"}, [](const std::string& symbol, int n) {
    return n < 0 ? throw std::invalid_argument(symbol + " is bad") : symbol + std::to_string(n);
  });
  const std::vector<std::pair<std::string, int>> items{{"a", 1}, {"b", -1}, {"c", 2}};
  const auto values = f.many(items);
  EXPECT_EQ(values[0].value(), "a1");
  EXPECT_FALSE(values[1]);
  EXPECT_THROW(values[1].value(), std::invalid_argument);
  EXPECT_EQ(values[2].value(), "c2");
}

TEST_F(CachedMembers, CacheInfoCountsThisFunctionsCalls) {
  const auto f = numbered({.prefix = "info", .name = "n"});
  f(1), f(1), f(1), f(2);
  const FunctionInfo info = f.cache_info();
  EXPECT_EQ(std::tuple(info.prefix, info.name), std::tuple("info", "n"));
  EXPECT_EQ(std::tuple(info.hits, info.misses, info.sets, info.loads), std::tuple(2u, 2u, 2u, 2u));
  EXPECT_DOUBLE_EQ(info.hit_rate, 0.5);
}

}  // namespace
}  // namespace dsta::cache
