// f.invalidate_matching(leading arguments…): all entries of one function that begin so, and nothing else.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using List = std::vector<std::string>;

struct InvalidateMatching : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, InvalidateMatching, all_backends(), backend_name);

int length(const std::string& symbol, int limit, double) { return static_cast<int>(symbol.size()) + limit; }

TEST_P(InvalidateMatching, RemovesWhatBeginsWithTheseArguments) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, length);
  const auto fill = [&] {
    f("BTC", 1, 0.5), f("BTC", 12, 0.5), f("BTC", 1, 1.0), f("BTCUSDT", 1, 0.5), f("ETH", 1, 0.5);
  };
  fill();
  EXPECT_EQ(f.invalidate_matching("BTC", 1), 2u);
  EXPECT_FALSE(f.peek("BTC", 1, 0.5));
  EXPECT_FALSE(f.peek("BTC", 1, 1.0));
  EXPECT_TRUE(f.peek("BTC", 12, 0.5)) << "an argument that only begins so";
  fill();
  EXPECT_EQ(f.invalidate_matching("BTC"), 3u);
  EXPECT_TRUE(f.peek("BTCUSDT", 1, 0.5));
  EXPECT_TRUE(f.peek("ETH", 1, 0.5));
  fill();
  EXPECT_EQ(f.invalidate_matching("BTC", 1, 0.5), 1u) << "all arguments are leading ones too";
  EXPECT_EQ(f.invalidate_matching(), 4u) << "none: the whole function";
  EXPECT_EQ(f.invalidate_matching(), 0u);
}

TEST_P(InvalidateMatching, ConvertsItsArgumentsAsACallDoes) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api"},
                              [](double at, std::optional<int> n, int) { return at + n.value_or(0); });
  f(1, 2, 3), f(1.5, std::nullopt, 3);
  EXPECT_EQ(f.invalidate_matching(1L), 1u);
  EXPECT_EQ(f.invalidate_matching(1.5f, std::nullopt), 1u);
}

TEST_P(InvalidateMatching, TakesArgumentsLiterally) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "a*[b]", .name = "?"},
                              [](const std::string& s, int i) { return s.size() + size_t(i); });
  const List texts{"*", "?", "[a-z]", "a:b", "a", "", "\\", "%", "(a,b,)", "a%3Ab"};
  for (const auto& text : texts) {
    SCOPED_TRACE(text);
    for (const auto& each : texts) f(each, 1);
    EXPECT_EQ(f.invalidate_matching(text), 1u);
    for (const auto& each : texts) ASSERT_EQ(f.peek(each, 1).has_value(), each != text) << each;
  }
}

TEST_P(InvalidateMatching, LeavesOtherFunctionsWhoseKeysBeginAlike) {
  const auto outer =
      cache.cached({.ttl = 60s, .prefix = "api"}, [](const std::string& s, int i) { return s.size() + size_t(i); });
  const auto inner = cache.cached({.ttl = 60s, .prefix = "api", .name = "g"}, [](int i) { return i; });
  const auto longer = cache.cached({.ttl = 60s, .prefix = "api2"}, [](int i) { return i; });
  outer("BTC", 1), inner(1), inner(2), longer(1);
  EXPECT_EQ(outer.invalidate_matching("g"), 0u) << "its key is another function's";
  EXPECT_TRUE(inner.peek(1));
  EXPECT_EQ(outer.invalidate_matching(), 1u);
  EXPECT_FALSE(outer.peek("BTC", 1));
  EXPECT_TRUE(inner.peek(1));
  EXPECT_TRUE(longer.peek(1));
  EXPECT_EQ(inner.invalidate_matching(1), 1u);
  EXPECT_FALSE(inner.peek(1));
  EXPECT_TRUE(inner.peek(2));
}

TEST_P(InvalidateMatching, LeavesOtherFunctionsWithManyTags) {
  std::vector<std::string> tags;
  for (int i = 0; i < 80; ++i) tags.push_back("a tag of some length " + std::to_string(i));
  const auto outer =
      cache.cached({.ttl = 60s, .prefix = "api", .tags = tags}, [](const std::string&, int i) { return i; });
  const auto inner = cache.cached({.ttl = 60s, .prefix = "api", .name = "g", .tags = tags}, [](int i) { return i; });
  outer("g", 2), inner(1);
  outer.invalidate_matching("g");
  EXPECT_FALSE(outer.peek("g", 2));
  EXPECT_TRUE(inner.peek(1));
  if (!embedded()) {
    EXPECT_NE(stored(inner.key_for(1)), "(nil)");
  }
}

TEST_P(InvalidateMatching, HoldsForTheOtherProcesses) {
  if (embedded()) GTEST_SKIP() << "one process";
  CacheManager other = manager();
  const EntryOptions options{.ttl = 60s, .prefix = "api", .name = "f"};
  const auto here = cache.cached(options, length);
  const auto there = other.cached(options, length);
  there("BTC", 1, 0.5), there("BTC", 2, 0.5), there("ETH", 1, 0.5);
  EXPECT_EQ(here.invalidate_matching("BTC"), 2u);
  EXPECT_EQ(stored(here.key_for("BTC", 1, 0.5)), "(nil)");
  EXPECT_EQ(stored(here.key_for("BTC", 2, 0.5)), "(nil)");
  EXPECT_TRUE(there.peek("ETH", 1, 0.5));
}

TEST_P(InvalidateMatching, FencesLoadsHereAndInOtherProcesses) {
  CacheManager other = embedded() ? CacheManager() : manager();
  CacheManager& loading = embedded() ? cache : other;
  const EntryOptions options{.ttl = 60s, .prefix = "api", .name = "f"};
  std::function<void(const std::string&)> meanwhile = [](const std::string&) {};
  const auto load = [&meanwhile](const std::string& symbol, int limit) { return meanwhile(symbol), limit; };
  const auto f = loading.cached(options, load);
  const auto g = embedded() ? f : cache.cached(options, load);
  meanwhile = [&](const std::string&) { g.invalidate_matching("BTC"); };
  EXPECT_EQ(f("BTC", 1), 1);
  EXPECT_FALSE(f.peek("BTC", 1));
  EXPECT_EQ(f("BTCUSDT", 1), 1);
  EXPECT_TRUE(f.peek("BTCUSDT", 1));
}

TEST_P(InvalidateMatching, FindsLongKeysByTheirFirstArguments) {
  const auto f = cache.cached(
      {.ttl = 60s, .prefix = "api", .name = "f"},
      [](const std::string& name, const std::string& more, int i) { return name.size() + more.size() + size_t(i); });
  const std::string blank(300, 'x');
  const auto fill = [&] { f("BTC", blank, 1), f("BTCUSDT", blank, 1), f(blank, "a", 1), f(blank, "b", 1); };
  fill();
  EXPECT_EQ(f.invalidate_matching("BTC"), 1u);
  EXPECT_FALSE(f.peek("BTC", blank, 1));
  EXPECT_TRUE(f.peek("BTCUSDT", blank, 1));
  fill();
  EXPECT_GE(f.invalidate_matching(blank, "a"), 1u);
  EXPECT_FALSE(f.peek(blank, "a", 1));
  EXPECT_TRUE(f.peek("BTC", blank, 1));
  EXPECT_TRUE(f.peek(blank, "b", 1) || !embedded()) << "whole keys are known";
  fill();
  EXPECT_EQ(f.invalidate_matching(), 4u);
}

TEST_P(InvalidateMatching, OfAGenericFunctionTellsTypesApart) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"},
                              [](const auto& a, int b) { return static_cast<int>(sizeof(a)) + b; });
  f(1, 1), f(1, 2), f(1L, 1), f(12, 1), f(std::string("1"), 1);
  EXPECT_EQ(f.invalidate_matching(1), 2u);
  EXPECT_TRUE(f.peek(1L, 1));
  EXPECT_TRUE(f.peek(12, 1));
  EXPECT_TRUE(f.peek(std::string("1"), 1));
  EXPECT_EQ(f.invalidate_matching("1"), 1u);
  EXPECT_EQ(f.invalidate_matching(), 2u);
}

TEST_P(InvalidateMatching, TakesManualValuesUnderTheFunctionsKey) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [](int a, int b) { return a + b; });
  ASSERT_TRUE(cache.set(f.key_for(1, 2), 7));
  EXPECT_EQ(f(1, 2), 7);
  EXPECT_EQ(f.invalidate_matching(1), 1u);
  EXPECT_EQ(f(1, 2), 3);
}

TEST_P(InvalidateMatching, IsRefusedWhereItCannotKnow) {
  const auto built = cache.cached({.ttl = 60s, .prefix = "api", .name = "built"}, [](int a, int b) { return a + b; })
                         .key_builder([](int a, int) { return a; });
  EXPECT_THROW(built.invalidate_matching(1), ConfigError);
  EXPECT_THROW(built.invalidate_matching(), ConfigError);
  const auto nameless = cache.cached({.ttl = 60s}, [](int a, int b) { return a + b; });
  nameless(1, 2), cache.set("k", 1);
  EXPECT_THROW(nameless.invalidate_matching(), ConfigError);
  EXPECT_TRUE(cache.exists("k"));
  EXPECT_EQ(nameless.invalidate_matching(1), 1u);
}

TEST_P(InvalidateMatching, IsCountedForTheFunction) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [](int a, int b) { return a + b; });
  f(1, 1), f(1, 2);
  cache.clear_stats();
  f.invalidate_matching(1);
  EXPECT_EQ(cache.get_stats().deletes, 2u);
  EXPECT_EQ(cache.get_stats().invalidations, 1u);
}

}  // namespace
}  // namespace dsta::cache
