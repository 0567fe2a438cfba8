// delete_pattern and flush_all: what they remove, what they leave, and what they say.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

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

TEST_P(Patterns, FenceRawLoadsAlsoWhereTheServerForgotThem) {
  if (embedded()) GTEST_SKIP() << "there are no raw values";
  CacheManager other = manager();
  std::string pattern;
  const auto f = other.cached({.ttl = 60s, .prefix = "r", .raw = true}, [&](int i) {
    server->command({"DEL", at_server("\x01raw")});
    cache.delete_pattern(pattern);
    return i;
  });
  for (const std::string one : {"r:*", "r:7", "*7", "[r]:?"}) {
    pattern = one;
    EXPECT_EQ(f(7), 7);
    EXPECT_EQ(stored(f.key_for(7)), "(nil)") << pattern;
  }
}

TEST_P(Patterns, CountEntriesWhateverTagsTheyHave) {
  std::vector<std::string> many(60, "");
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = "tag number " + std::to_string(i);
  for (const std::vector<std::string>& tags : {std::vector<std::string>{}, {std::string(900, 't')}, many}) {
    for (int i = 0; i < 3; ++i) cache.set("a:" + std::to_string(i), i, {.tags = tags});
    EXPECT_EQ(cache.delete_pattern("a:*"), 3u);
    EXPECT_EQ(cache.delete_pattern("a:*"), 0u);
  }
}

/// A function of lists, whose keys are soon long.
struct OfLists {
  using List = std::vector<std::string>;
  std::function<void()> meanwhile = [] {};
  int operator()(const List& symbols) const {
    meanwhile();
    return static_cast<int>(symbols.size());
  }
  /// Some 60 symbols: over 256 bytes; `last` is among those that a stored key leaves out.
  static List list(const std::string& last, const std::string& first = "FIRST") {
    List symbols{first};
    for (int i = 100; i < 160; ++i) symbols.push_back("SYM" + std::to_string(i));
    symbols.push_back(last);
    return symbols;
  }
};
using List = OfLists::List;

TEST_P(Patterns, OverTheEndOfALongKeyRemoveItInEveryProcess) {
  CacheManager other = manager();
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "lists"}, OfLists{});
  const auto g = other.cached({.ttl = 60s, .prefix = "api", .name = "lists"}, OfLists{});
  const auto there = cache.cached({.ttl = 60s, .prefix = "db", .name = "lists"}, OfLists{});
  for (const char* pattern :
       {"api:*LAST*", "*:lists:(FIRST,*,LAST,)", "*LAST,)", "?pi*SYM159,LAST?)", "[a-b]pi:*LAST*"}) {
    SCOPED_TRACE(pattern);
    const List meant = OfLists::list("LAST"), of_db = OfLists::list("OTHER");
    f(meant), g(meant), there(of_db);
    ASSERT_TRUE(f.peek(meant));
    EXPECT_GE(cache.delete_pattern(pattern), 1u);
    EXPECT_FALSE(f.peek(meant));
    EXPECT_TRUE(embedded() || stored(f.key_for(meant)) == "(nil)");
    EXPECT_TRUE(there.peek(of_db) || pattern[0] == '*') << "no key that begins like this one matches";
  }
  EXPECT_EQ(cache.delete_pattern("api:*LAST*"), 0u);
}

TEST_P(Patterns, OfLongKeysLeaveWhatTheyCannotMatch) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "lists"}, OfLists{});
  const List list = OfLists::list("LAST");
  f(list);
  const std::string whole_head = f.key_for(list).substr(0, 200);
  for (const std::string& pattern : std::vector<std::string>{
           "api:lists", "api:lists:?", "api:listz:*", "api:lists:(SECOND*LAST*", std::string(255, '?'), whole_head}) {
    EXPECT_EQ(cache.delete_pattern(pattern), 0u) << pattern;
    EXPECT_TRUE(f.peek(list)) << pattern;
  }
}

TEST_P(Patterns, OverTheEndOfALongKeyFenceItsLoadElsewhere) {
  const List meant = OfLists::list("LAST");
  const auto f = cache.cached({.ttl = 60s, .prefix = "api"}, OfLists{[&] { cache.delete_pattern("*,LAST,)"); }});
  f(meant);
  EXPECT_FALSE(f.peek(meant));
}

TEST_P(Patterns, OverTheEndOfALongKeyRevokeItsLoadInAnotherProcess) {
  if (embedded()) GTEST_SKIP() << "one process";
  CacheManager loading = manager();
  const List meant = OfLists::list("LAST");
  const auto f = loading.cached({.ttl = 60s, .prefix = "api"}, OfLists{[&] { cache.delete_pattern("*,LAST,)"); }});
  f(meant);
  EXPECT_FALSE(f.peek(meant)) << "where it was loaded";
  EXPECT_EQ(stored(f.key_for(meant)), "(nil)");
}

TEST_P(Patterns, FindLongKeysThatWereStoredByHandUnderTheirShortName) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api"}, OfLists{});
  const List meant = OfLists::list("LAST");
  ASSERT_TRUE(cache.set(f.key_for(meant), 7));
  EXPECT_EQ(cache.delete_pattern("api:*LAST*"), 1u);
  EXPECT_FALSE(cache.exists(f.key_for(meant)));
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
