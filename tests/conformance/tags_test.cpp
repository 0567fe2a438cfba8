// Invalidation by tag, function and space: what was stored or begun before it counts no more, what comes after does.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Tagged : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, Tagged, all_backends(), backend_name);

TEST_P(Tagged, ManualValuesOfATagGoWithItAndOthersStay) {
  cache.set("AAPL", 1, {.tags = {"sector:tech", "country:us"}});
  cache.set("SAP", 2, {.tags = {"sector:tech"}});
  cache.set("XOM", 3, {.tags = {"sector:energy", "country:us"}});
  cache.set("plain", 4);
  cache.invalidate_tag("sector:tech");
  EXPECT_FALSE(cache.get<int>("AAPL"));
  EXPECT_FALSE(cache.exists("SAP"));
  EXPECT_FALSE(cache.get_ttl("SAP"));
  EXPECT_EQ(cache.get<int>("XOM"), 3);
  cache.invalidate_tag("country:us");
  EXPECT_FALSE(cache.get<int>("XOM"));
  EXPECT_EQ(cache.get<int>("plain"), 4);
  EXPECT_TRUE(cache.set("AAPL", 5, {.tags = {"sector:tech"}}));
  EXPECT_EQ(cache.get<int>("AAPL"), 5) << "stored after the invalidation";
}

TEST_P(Tagged, WritesBetweenManyInvalidationsCountUntilTheNext) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(cache.set("k", i, {.tags = {"t"}}));
    ASSERT_EQ(cache.get<int>("k"), i);
    cache.invalidate_tag("t");
    ASSERT_FALSE(cache.get<int>("k")) << i;
  }
}

TEST_P(Tagged, ExpiredEntriesAreServedStaleAndRemovedOnesAreNot) {
  const EntryOptions options{.ttl = 60s, .tags = {"t"}, .stale_for = 60s};
  cache.set("k", "v", options);
  cache.set("strict", "v", {.ttl = 60s, .tags = {"t"}});
  cache.invalidate_tag("t", TagMode::expire);
  const auto found = cache.lookup("k");
  EXPECT_EQ(found.value, "v");
  EXPECT_TRUE(found.stale);
  EXPECT_EQ(cache.get_ttl("k"), 0s);
  EXPECT_FALSE(cache.get("strict")) << "without stale_for there is nothing to serve";
  cache.invalidate_tag("t", TagMode::remove);
  EXPECT_FALSE(cache.get("k"));
  cache.invalidate_tag("t", TagMode::expire);
  EXPECT_FALSE(cache.get("k")) << "expiring revives nothing";
  cache.set("k", "w", options);
  EXPECT_FALSE(cache.lookup("k").stale);
}

TEST_P(Tagged, WrappersTagByArguments) {
  int loads = 0;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"all", "symbol:{0}"}},
                              [&](const std::string& s, int i) { return ++loads, s + std::to_string(i); });
  f("BTC", 1), f("BTC", 2), f("ETH", 1);
  cache.invalidate_tag("symbol:BTC");
  EXPECT_FALSE(f.peek("BTC", 1));
  EXPECT_FALSE(f.peek("BTC", 2));
  EXPECT_TRUE(f.peek("ETH", 1));
  EXPECT_EQ(f("BTC", 1), "BTC1");
  EXPECT_EQ(loads, 4);
  cache.invalidate_tag("all");
  EXPECT_FALSE(f.peek("BTC", 1));
  EXPECT_FALSE(f.peek("ETH", 1));
}

TEST_P(Tagged, ValuesBringTagsOfTheirOwn) {
  auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](int i) { return i; }).adaptive_tags([](int value) {
    return std::vector<std::string>{value % 2 ? "odd" : "even"};
  });
  f(1), f(2);
  f.put(3, 3);
  cache.invalidate_tag("odd");
  EXPECT_FALSE(f.peek(1));
  EXPECT_TRUE(f.peek(2));
  EXPECT_FALSE(f.peek(3));
}

TEST_P(Tagged, AnInvalidationBetweenLoadAndStoreKeepsTheValueOut) {
  bool invalidate = true;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [&](int i) {
    if (invalidate) cache.invalidate_tag("t");
    return i;
  });
  EXPECT_EQ(f(1), 1) << "who waited gets it";
  EXPECT_FALSE(f.peek(1));
  EXPECT_EQ(f.cache_info().fenced, 1u);
  EXPECT_EQ(cache.get_or_load("k", [&] { return cache.invalidate_tag("u"), 7; }, {.tags = {"u"}}), 7);
  EXPECT_FALSE(cache.exists("k"));
  invalidate = false;
  EXPECT_EQ(f(1), 1);
  EXPECT_TRUE(f.peek(1));
}

TEST_P(Tagged, TagsThatOnlyTheValueNamesFenceToo) {
  auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int i) { return cache.invalidate_tag("late"), i; })
               .adaptive_tags([](int) { return std::vector<std::string>{"late"}; });
  EXPECT_EQ(f(1), 1);
  EXPECT_FALSE(f.peek(1));
}

TEST_P(Tagged, DelAndSetBetweenLoadAndStoreKeepTheLoadedValueOut) {
  const auto deleted =
      cache.cached({.ttl = 60s, .prefix = "deleted"}, [&](int i) { return cache.del("deleted:1"), i; });
  EXPECT_EQ(deleted(1), 1);
  EXPECT_FALSE(deleted.peek(1));
  const auto set = cache.cached({.ttl = 60s, .prefix = "set"}, [&](int i) { return cache.set("set:1", "newer"), i; });
  EXPECT_EQ(set(1), 1);
  EXPECT_EQ(cache.get("set:1"), "newer");
}

TEST_P(Tagged, CacheClearForgetsOneFunctionAndNoOther) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "p", .name = "f"}, [](int i) { return i; });
  const auto g = cache.cached({.ttl = 60s, .prefix = "p", .name = "g"}, [](int i) { return -i; });
  f(1), f(2), g(1);
  f.put(3, 3);
  f.cache_clear();
  for (const int i : {1, 2, 3}) EXPECT_FALSE(f.peek(i)) << i;
  EXPECT_FALSE(cache.exists("p:f:1")) << "not for manual calls either";
  EXPECT_TRUE(g.peek(1));
  EXPECT_EQ(f(1), 1);
  EXPECT_TRUE(f.peek(1));
  f.cache_clear();
  EXPECT_FALSE(f.peek(1)) << "each clearing counts";
}

TEST_P(Tagged, CacheClearFencesLoadsUnderWay) {
  bool clear = true;
  std::function<void()> clear_it;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int i) {
    if (clear) clear_it();
    return i;
  });
  clear_it = [&] { f.cache_clear(); };
  EXPECT_EQ(f(1), 1);
  EXPECT_FALSE(f.peek(1));
  clear = false;
  f(1);
  EXPECT_TRUE(f.peek(1));
}

TEST_P(Tagged, EntriesGoWithoutTagsThatAreNone) {
  const auto f = cache
                     .cached({.ttl = 60s, .prefix = "f", .tags = {"{0}", "all"}},
                             [](const std::string& text, LoadContext<std::string>& load) {
                               load.add_tag(text);
                               load.add_tag("");
                               return text;
                             })
                     .adaptive_tags([](const std::string& text) {
                       return std::vector{text, "\x01" + text};
                     });
  for (const std::string text : {"", "\x01",
                                 "\x01"
                                 "f",
                                 "tag"}) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(f(text), text);
    EXPECT_TRUE(f.put("put", text));
    EXPECT_EQ(f("put"), text);
  }
  EXPECT_EQ(f.cache_info().loads, 4u);
  cache.invalidate_tag("tag");
  EXPECT_FALSE(f.peek("tag"));
  EXPECT_TRUE(f.peek(""));
  cache.invalidate_tag("all");
  EXPECT_FALSE(f.peek(""));
  EXPECT_THROW(cache.set("k", 1, {.tags = {""}}), ConfigError);
  EXPECT_THROW((void)cache.cached({.prefix = "g",
                                   .tags = {"\x01"
                                            "f"}},
                                  [](int i) { return i; }),
               ConfigError);
}

TEST_P(Tagged, OfAnyBytesAndMany) {
  std::vector<std::string> tags;
  for (int i = 0; i < 60; ++i) tags.push_back("tag " + std::to_string(i) + std::string("\0:*\r\n\x01\xff", 7));
  for (const std::string& tag : {tags.front(), tags.back()}) {
    ASSERT_TRUE(cache.set("k", 1, {.tags = tags}));
    ASSERT_EQ(cache.get<int>("k"), 1);
    cache.invalidate_tag(tag);
    ASSERT_FALSE(cache.get<int>("k"));
  }
}

TEST_P(Tagged, ClearingARawFunctionNeedsAPrefixOrNameAndSaysSo) {
  const auto add_one = [](int n) { return n + 1; };
  const EntryOptions cases[] = {{.ttl = 60s, .prefix = "f", .raw = true}, {.ttl = 60s, .name = "f", .raw = true}};
  for (const EntryOptions& options : cases) {
    const auto f = cache.cached(options, add_one);
    EXPECT_EQ(f(1), 2);
    f.cache_clear();
    EXPECT_FALSE(f.peek(1));
  }
  const auto nameless = cache.cached({.ttl = 60s, .raw = true}, add_one);
  EXPECT_EQ(nameless(1), 2);
  cache.set("user:1", "Ada");
  if (embedded()) {
    nameless.cache_clear();
    EXPECT_FALSE(nameless.peek(1));
  } else {
    try {
      nameless.cache_clear();
      ADD_FAILURE() << "its values cannot be told from others";
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find("give it a prefix"), std::string::npos) << error.what();
    }
    EXPECT_EQ(nameless.peek(1), 2) << "nothing was cleared";
  }
  EXPECT_EQ(cache.get("user:1"), "Ada");
}

}  // namespace
}  // namespace dsta::cache
