// The wrapper: whatever can be wrapped, whatever it can be called with, and what each of its members promises.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace cached_test {

int runs = 0;

std::string fetch_ticker(const std::string& symbol) { return ++runs, "ticker " + symbol; }
int fetch_depth(int levels, bool full = false) noexcept { return ++runs, full ? -levels : levels; }

struct Feed {
  int factor = 1;
  int operator()(int n) const { return ++runs, n * factor; }
  double price(std::string_view symbol) const { return ++runs, static_cast<double>(symbol.size() * 2); }
};

}  // namespace cached_test

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace cached_test;

struct Cached : ::testing::Test, testing::CleanCache {
  Cached() { runs = 0; }

  /// Calls twice and checks that the function ran once.
  template <class F, class R, class... Arguments>
  void expect_cached(const F& f, const R& expected, const Arguments&... arguments) {
    runs = 0;
    EXPECT_EQ(f(arguments...), expected);
    EXPECT_EQ(f(arguments...), expected);
    EXPECT_EQ(runs, 1);
  }
};

TEST_F(Cached, WrapsLambdasFunctionsFunctionObjectsAndMembers) {
  expect_cached(cache.cached({.prefix = "lambda"}, [](int n) { return ++runs, n + 1; }), 3, 2);
  expect_cached(cache.cached({.prefix = "mutable"}, [last = 5](int n) mutable { return ++runs, last += n; }), 7, 2);
  expect_cached(cache.cached({.prefix = "function"}, fetch_ticker), "ticker BTC", "BTC");
  expect_cached(cache.cached({.prefix = "pointer"}, &fetch_depth), 9, 9, false);
  expect_cached(cache.cached({.prefix = "object"}, Feed{.factor = 3}), 12, 4);
  expect_cached(cache.cached({.prefix = "std"}, std::function<int(int)>([](int n) { return ++runs, -n; })), -4, 4);
  const Feed feed;
  expect_cached(cache.cached({.prefix = "member"}, [&](std::string_view s) { return feed.price(s); }), 6.0, "BTC");
}

TEST_F(Cached, TheDecoratorsFormsWrapAsWell) {
  const auto by_options = cache.cached({.ttl = 60s, .prefix = "options"})(fetch_ticker);
  const auto by_ttl = cache.cached(60s, "ttl", "ticker")(fetch_ticker);
  expect_cached(by_options, "ticker ETH", "ETH");
  expect_cached(by_ttl, "ticker ETH", "ETH");
  EXPECT_EQ(by_ttl.key_for("ETH"), "ttl:ticker:ETH");
  clock->advance(60s);
  expect_cached(by_ttl, "ticker ETH", "ETH");
}

TEST_F(Cached, AFunctionGivenAtCompileTimeIsNamedByItsOwnName) {
  const auto ticker = cache.cached<fetch_ticker>({.ttl = 60s, .prefix = "api"});
  const auto depth = cache.cached<&fetch_depth>({.ttl = 60s, .prefix = "api"});
  const auto named = cache.cached<fetch_ticker>({.prefix = "api", .name = "given"});
  EXPECT_EQ(ticker.key_for("BTC"), "api:fetch_ticker:BTC");
  EXPECT_EQ(depth.key_for(5, true), "api:fetch_depth:5:true");
  EXPECT_EQ(named.key_for("BTC"), "api:given:BTC");
  expect_cached(ticker, "ticker BTC", "BTC");
  expect_cached(depth, -5, 5, true);
  EXPECT_EQ(ticker.cache_info().name, "fetch_ticker");
}

TEST_F(Cached, AGenericLambdaTellsArgumentTypesApart) {
  const auto f = cache.cached({.prefix = "generic"}, [](const auto& x) {
    ++runs;
    return std::string(sizeof x == 1 ? "byte" : sizeof x == 4 ? "word" : "other");
  });
  expect_cached(f, "word", 1);
  expect_cached(f, "other", 1L);
  expect_cached(f, "byte", true);
  expect_cached(f, "other", "1");
}

TEST_F(Cached, ArgumentsAreWhatTheParametersMakeOfThem) {
  const auto f = cache.cached({.prefix = "convert"}, [](double x, std::int64_t n) { return ++runs, x + double(n); });
  expect_cached(f, 3.0, 1.0, 2);
  runs = 0;
  EXPECT_EQ(f(1, 2L), 3.0);
  EXPECT_EQ(f(1.0F, short{2}), 3.0);
  EXPECT_EQ(runs, 0);
}

TEST_F(Cached, TakesParametersByValueReferenceViewSpanAndRvalue) {
  const auto text = cache.cached({.prefix = "text"}, [](std::string a, const std::string& b, std::string_view c) {
    return ++runs, a + b + std::string(c);
  });
  expect_cached(text, "abc", "a", "b", "c");
  expect_cached(text, "xbc", std::string("x"), "b", std::string_view("c"));
  const auto sum = cache.cached({.prefix = "span"}, [](std::span<const int> numbers) {
    return ++runs, std::accumulate(numbers.begin(), numbers.end(), 0);
  });
  expect_cached(sum, 6, std::vector{1, 2, 3});
  const auto taken = cache.cached({.prefix = "rvalue"}, [](std::vector<int>&& numbers) {
    const std::vector<int> mine = std::move(numbers);
    return ++runs, mine.size();
  });
  runs = 0;
  EXPECT_EQ(taken(std::vector{1, 2, 3}), 3U);
  EXPECT_EQ(taken(std::vector{1, 2, 3}), 3U);
  EXPECT_EQ(runs, 1);
  clock->advance(1h);
  EXPECT_EQ(taken.refresh(std::vector{1, 2, 3}), 3u) << "a load must not use up the arguments of the next";
}

TEST_F(Cached, ArgumentsWrittenAlikeDoNotShareAnEntry) {
  const auto f =
      cache.cached({.prefix = "two"}, [](const std::string& a, const std::string& b) { return ++runs, a + "|" + b; });
  EXPECT_EQ(f("a:b", "c"), "a:b|c");
  EXPECT_EQ(f("a", "b:c"), "a|b:c");
  EXPECT_EQ(f("", "a"), "|a");
  EXPECT_EQ(f("a", ""), "a|");
  EXPECT_EQ(f("%3A", ""), "%3A|");
  EXPECT_EQ(f(":", ""), ":|");
  EXPECT_EQ(runs, 6);
}

TEST_F(Cached, AnEmptyOptionalIsNotStoredUnlessNegativeTtlSaysSo) {
  const auto find = [](int n) { return ++runs, n > 0 ? std::optional(n) : std::nullopt; };
  const auto plain = cache.cached({.prefix = "plain"}, [find](int n) { return find(n); });
  expect_cached(plain, std::optional(1), 1);
  runs = 0;
  EXPECT_EQ(plain(0), std::nullopt);
  EXPECT_EQ(plain(0), std::nullopt);
  EXPECT_EQ(runs, 2);
  const auto negative =
      cache.cached({.ttl = 60s, .prefix = "negative", .negative_ttl = 5s}, [find](int n) { return find(n); });
  expect_cached(negative, std::nullopt, 0);
  expect_cached(negative, std::optional(1), 1);
  clock->advance(5s);
  expect_cached(negative, std::nullopt, 0);
  runs = 0;
  EXPECT_EQ(negative(1), 1);
  EXPECT_EQ(runs, 0) << "negative_ttl is for empty ones only";
}

TEST_F(Cached, OnlyResultsThatMeetTheConditionAreStored) {
  const auto f = cache.cached({.prefix = "if"}, [](int n) { return ++runs, n; }).condition([](int n) { return n > 0; });
  expect_cached(f, 5, 5);
  runs = 0;
  EXPECT_EQ(f(-5), -5);
  EXPECT_EQ(f(-5), -5);
  EXPECT_EQ(runs, 2);
}

TEST_F(Cached, PutAsksNoCondition) {
  const auto f = cache.cached({.prefix = "if"}, [](int n) { return n; }).condition([](int n) { return n > 0; });
  EXPECT_TRUE(f.put(1, -5));
  EXPECT_EQ(f.peek(1), -5);
}

TEST_F(Cached, AKeyBuilderDecidesWhichArgumentsCount) {
  const auto trade = [](const std::string& symbol, int trace) { return ++runs, symbol + std::to_string(trace); };
  const auto by_text = cache.cached({.prefix = "kb"}, trade).key_builder([](const std::string& symbol, int) {
    return std::string_view(symbol);
  });
  EXPECT_EQ(by_text.key_for("BTC", 1), "kb:BTC");
  EXPECT_EQ(by_text("BTC", 1), "BTC1");
  EXPECT_EQ(by_text("BTC", 2), "BTC1");
  const auto by_number =
      cache.cached({.prefix = "kb2"}, trade).key_builder([](const std::string&, int n) { return n; });
  EXPECT_EQ(by_number.key_for("BTC", 7), "kb2:7");
  EXPECT_EQ(by_number("BTC", 7), "BTC7");
  EXPECT_EQ(by_number("ETH", 7), "BTC7");
  EXPECT_TRUE(by_number.invalidate("any", 7));
  EXPECT_EQ(by_number("ETH", 7), "ETH7");
}

TEST_F(Cached, AdaptiveTtlAndTagsComeFromTheValue) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "adaptive"}, [](int n) { return ++runs, n; })
                     .adaptive_ttl([](int n) -> OptionalDuration { return std::chrono::seconds(n); })
                     .adaptive_tags([](int n) { return std::vector<std::string>{"value:" + std::to_string(n)}; });
  expect_cached(f, 5, 5);
  expect_cached(f, 100, 100);
  runs = 0;
  f(0), f(0);
  EXPECT_EQ(runs, 2) << "an adaptive ttl of zero means: do not store";
  clock->advance(5s);
  EXPECT_FALSE(f.peek(5));
  EXPECT_TRUE(f.peek(100));
  cache.invalidate_tag("value:100");
  EXPECT_FALSE(f.peek(100));
}

TEST_F(Cached, TagsNameTheArgumentsTheyStandFor) {
  const auto f = cache.cached({.prefix = "tags", .tags = {"symbol:{0}", "depth:{1}", "all"}},
                              [](const std::string& symbol, int n) { return ++runs, symbol + std::to_string(n); });
  const auto fill = [&] { f("BTC:USD", 1), f("ETH", 1), f("ETH", 2); };
  fill();
  cache.invalidate_tag("symbol:BTC:USD");
  EXPECT_FALSE(f.peek("BTC:USD", 1));
  EXPECT_TRUE(f.peek("ETH", 1));
  cache.invalidate_tag("depth:1");
  EXPECT_FALSE(f.peek("ETH", 1));
  EXPECT_TRUE(f.peek("ETH", 2));
  cache.invalidate_tag("all");
  EXPECT_FALSE(f.peek("ETH", 2));
}

}  // namespace
}  // namespace dsta::cache
