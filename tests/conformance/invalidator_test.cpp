// Invalidation by symbol, exchange and user where several processes share a server, and where there is none.
#include <dsta/cache/invalidator.hpp>
#include <dsta/cache/key_text.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using List = std::vector<std::string>;

struct Invalidators : BackendTest {
  /// Where there is a server, the manager of a process that wraps nothing; else the same one.
  CacheManager& elsewhere() {
    if (embedded()) return cache;
    other_ = manager();
    return other_;
  }

 private:
  CacheManager other_;
};
INSTANTIATE_TEST_SUITE_P(On, Invalidators, all_backends(), backend_name);

TEST_P(Invalidators, ASymbolTakesItsOwnKeysAndNoOthers) {
  const List symbols{"BTCUSDT", "ETH", "ETHUSDT", "METHUSDT", "*",   "[A-Z]", "\\",  "?",   "a*b",
                     "A",       "[",   "]",       "^",        "BTC", "%",     "B-A", "A:B", "A B"};
  const auto f =
      cache.cached({.ttl = 60s, .prefix = "api", .name = "ticker"}, [](const std::string& s) { return "of " + s; });
  const auto lists = cache.cached({.ttl = 60s, .prefix = "indicator", .name = "many"},
                                  [](const List& all, int) { return static_cast<int>(all.size()); });
  const auto fill = [&] {
    for (const auto& symbol : symbols) {
      f(symbol), lists(List{"first", symbol}, 1);
      cache.set("row:" + symbol + ":1h", 1, {.ttl = 60s, .prefix = "db"});
    }
  };
  CacheInvalidator invalidator{cache};
  for (const auto& symbol : symbols) {
    SCOPED_TRACE(symbol);
    fill();
    // The manual key of "A:B" has a part "A" and a part "B".
    EXPECT_EQ(invalidator.invalidate_symbol_data(symbol), symbol == "A" ? 4u : 3u);
    for (const auto& each : symbols) {
      const bool there = each != symbol;
      ASSERT_EQ(f.peek(each).has_value(), there) << each;
      ASSERT_EQ(lists.peek(List{"first", each}, 1).has_value(), there) << each;
      ASSERT_EQ(cache.exists("row:" + each + ":1h", {.prefix = "db"}), there && !(symbol == "A" && each == "A:B"))
          << each;
    }
  }
}

TEST_P(Invalidators, AProcessThatWrapsNothingRemovesWhatOthersCached) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [](const std::string& s) { return s; });
  const auto user = cache.cached({.ttl = 60s, .prefix = "session", .name = "u"}, [](int id) { return id; });
  f("BTC"), user(42), user(421);
  CacheInvalidator invalidator{elsewhere()};
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 1u);
  EXPECT_EQ(invalidator.invalidate_user_session(42), 1u);
  EXPECT_EQ(invalidator.invalidate_user_session(4), 0u);
  if (!embedded()) {
    EXPECT_EQ(stored(f.key_for("BTC")), "(nil)");
    EXPECT_EQ(stored(user.key_for(42)), "(nil)");
    EXPECT_NE(stored(user.key_for(421)), "(nil)");
  }
}

TEST_P(Invalidators, RemoveUntaggedEntriesOfOtherProcesses) {
  if (embedded()) GTEST_SKIP() << "one process";
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [](const std::string& s) { return s; });
  f("BTC");
  CacheManager other = manager();
  const auto tagged = other.cached({.ttl = 60s, .prefix = "api", .name = "g", .tags = {"symbol:{0}"}},
                                   [](const std::string& s) { return s; });
  tagged("BTC");
  EXPECT_GE(CacheInvalidator{other}.invalidate_symbol_data("BTC"), 1u);
  EXPECT_EQ(stored(f.key_for("BTC")), "(nil)");
}

TEST_P(Invalidators, WithThePromiseOfTagsNoKeyIsLookedFor) {
  const auto plain = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [](const std::string& s) { return s; });
  const auto tagged = cache.cached({.ttl = 60s, .prefix = "api", .name = "g", .tags = {"symbol:{0}", "exchange:{0}"}},
                                   [](const std::string& s) { return s; });
  const auto user =
      cache.cached({.ttl = 60s, .prefix = "session", .name = "u", .tags = {"user:{0}"}}, [](int id) { return id; });
  CacheInvalidator invalidator{cache, {.tags_only = true}};
  plain("BTC"), tagged("BTC"), tagged("ETH"), user(1), user(2);
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 0u);
  EXPECT_EQ(invalidator.invalidate_user_session(1), 0u);
  EXPECT_FALSE(tagged.peek("BTC"));
  EXPECT_FALSE(user.peek(1));
  EXPECT_TRUE(user.peek(2));
  EXPECT_TRUE(plain.peek("BTC")) << "a broken promise";
  EXPECT_EQ(invalidator.invalidate_exchange_data("ETH"), 0u);
  EXPECT_FALSE(tagged.peek("ETH"));
}

TEST_P(Invalidators, ASymbolFencesAndRevokesLoadsOfItsKeysEverywhere) {
  CacheManager& other = elsewhere();
  std::function<void()> meanwhile = [&] { CacheInvalidator{other}.invalidate_symbol_data("BTC"); };
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [&](const List& symbols) {
    meanwhile();
    return static_cast<int>(symbols.size());
  });
  List many;
  for (int i = 0; i < 60; ++i) many.push_back("SYM" + std::to_string(i));
  many.emplace_back("BTC");
  ASSERT_GT(key_part(many).size(), kReadableKeyBytes);
  for (const List& symbols : {List{"ETH", "BTC"}, many}) {
    f(symbols);
    EXPECT_FALSE(f.peek(symbols)) << symbols.size();
  }
  f(List{"ETH"});
  EXPECT_TRUE(f.peek(List{"ETH"}));
}

TEST_P(Invalidators, NumbersOfGenericFunctionsAreTheUsersToo) {
  const auto generic = cache.cached({.ttl = 60s, .prefix = "session", .name = "g"}, [](auto id) { return int(id); });
  generic(123), generic(123UL), generic(1234), generic(12);
  EXPECT_EQ(CacheInvalidator{elsewhere()}.invalidate_user_session(123), 2u);
  if (!embedded()) {
    EXPECT_EQ(stored(generic.key_for(123)), "(nil)");
    EXPECT_NE(stored(generic.key_for(1234)), "(nil)");
  }
  EXPECT_TRUE(generic.peek(12));
}

TEST_P(Invalidators, WalkOverTheKeysAtTheServerTwiceAtMost) {
  if (embedded()) GTEST_SKIP() << "no server";
  const auto scans = [&] {
    const std::string stats = server->command({"INFO", "commandstats"});
    const std::size_t at = stats.find("cmdstat_scan:calls=");
    return at == std::string::npos ? 0 : std::stoi(stats.substr(at + 19));
  };
  server->command({"FLUSHALL"});
  CacheInvalidator invalidator{cache};
  for (const char* symbol : {"BTC", "A B", "*"}) {
    const int before = scans();
    invalidator.invalidate_symbol_data(symbol);
    EXPECT_GE(scans(), before + 1);
    EXPECT_LE(scans(), before + 2) << symbol << ": three prefixes and two forms";
  }
}

}  // namespace
}  // namespace dsta::cache
