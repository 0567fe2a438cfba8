// What a wrapper knows of its function: names of templates, key builders of fewer arguments, tags of arguments,
// wrappers of wrappers.
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <dsta/cache.hpp>

namespace dsta::cache {
namespace signature_test {

template <class T>
T twice(const T& value) {
  return value + value;
}
template <int Factor, class T>
T scaled(T value) {
  return value * Factor;
}
enum class Side { buy, sell };
template <Side S>
int orders(int market) {
  return market + static_cast<int>(S);
}
int plain(int n) { return n; }
struct Quotes {
  template <class T>
  static int of(T n) {
    return static_cast<int>(n);
  }
};

enum class Interval { minute, hour };
inline void append_key(KeyWriter& key, Interval interval) {
  key(std::string_view(interval == Interval::minute ? "minute" : "hour"));
}

}  // namespace signature_test

namespace {

using namespace std::chrono_literals;
using namespace signature_test;

TEST(NameOfAFunction, AnInstanceOfATemplateHasItsArguments) {
  CacheManager cache;
  auto of_int = cache.cached<twice<int>>({.prefix = "f"});
  auto of_text = cache.cached<twice<std::string>>({.prefix = "f"});
  EXPECT_EQ(of_int(2), 4);
  EXPECT_EQ(of_text("2"), "22");
  EXPECT_EQ(of_int.key_for(2), "f:twice<int>:2");
  EXPECT_EQ(of_text.key_for("2"), "f:twice<std.string>:2");
}

TEST(NameOfAFunction, IsTheSameFromEveryCompiler) {
  CacheManager cache;
  const auto name = [&](auto wrapper) { return wrapper.cache_info().name; };
  EXPECT_EQ(name(cache.cached<plain>({})), "plain");
  EXPECT_EQ(name(cache.cached<scaled<3, unsigned long>>({})), "scaled<3;unsigned_long>");
  EXPECT_EQ(name(cache.cached<orders<Side::sell>>({})), "orders<(dsta.cache.signature_test.Side)1>");
  EXPECT_EQ(name(cache.cached<Quotes::of<long>>({})), "of<long>");
  EXPECT_EQ(name(cache.cached<twice<std::vector<int>::size_type>>({})), "twice<unsigned_long>");
  EXPECT_EQ(name(cache.cached<twice<int>>({.name = "mine"})), "mine");
}

auto candles(CacheManager& cache) {
  return cache.cached({.ttl = 60s, .prefix = "candles"},
                      [](const std::string& symbol, const std::string& interval, int limit = 100) {
                        return symbol + interval + std::to_string(limit);
                      });
}

TEST(KeyBuilder, OfFewerArgumentsGetsThoseItTakes) {
  CacheManager cache;
  auto f = candles(cache).key_builder(
      [](std::string_view symbol, const std::string& interval) { return std::string(symbol) + "/" + interval; });
  EXPECT_EQ(f.key_for("BTC", "1h", 5), "candles:BTC/1h");
  EXPECT_EQ(f("BTC", "1h"), "BTC1h100") << "a default may be left out, as the builder does not take it";
  EXPECT_EQ(f("BTC", "1h", 5), "BTC1h100") << "one key";
}

TEST(KeyBuilder, OfAllArgumentsNeedsThemAll) {
  CacheManager cache;
  auto f = candles(cache).key_builder([](const auto&... all) { return std::to_string(sizeof...(all)); });
  EXPECT_EQ(f.key_for("BTC", "1h", 5), "candles:3") << "it takes as many as it can";
  EXPECT_THROW((void)f("BTC", "1h"), ConfigError);
  auto g = cache.cached({.prefix = "all"}, [](int n) { return n; }).key_builder([] { return "one"; });
  EXPECT_EQ(g(1) + g(2), 2);
  EXPECT_EQ(g.key_for(7), "all:one");
}

std::string refused_tag(std::vector<std::string> tags) {
  CacheManager cache;
  try {
    (void)cache.cached({.prefix = "api", .name = "f", .tags = std::move(tags)},
                       [](const std::string& s, int n) { return static_cast<int>(s.size()) + n; });
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

TEST(TagsOfArguments, OnesThatAreNotThereAreRefusedWhenWrapping) {
  EXPECT_EQ(refused_tag({"symbol:{0}", "period:{1}", "{}", "{a b}", "{", "all"}), "");
  EXPECT_EQ(refused_tag({"symbol:{2}"}),
            "the tag 'symbol:{2}' of the function 'api:f': there is no argument {2}, the last one is {1}");
  EXPECT_EQ(
      refused_tag({"all", "symbol:{symbol}"}),
      "the tag 'symbol:{symbol}' of the function 'api:f': arguments are named by their position, {0} to {9}, not as "
      "{symbol}");
  EXPECT_NE(refused_tag({"{0}:{10}"}), "");
  CacheManager cache;
  EXPECT_THROW((void)cache.cached({.tags = {"{0}"}}, [] { return 1; }), ConfigError);
  EXPECT_NO_THROW((void)cache.cached({.tags = {"{5}"}}, [](auto... numbers) { return (0 + ... + numbers); }));
}

TEST(TagsOfArguments, AnEnumIsSpelledAsItWritesItsKeys) {
  CacheManager cache;
  auto named =
      cache.cached({.prefix = "named", .tags = {"interval:{0}"}}, [](Interval i) { return static_cast<int>(i); });
  auto numbered =
      cache.cached({.prefix = "numbered", .tags = {"side:{0}"}}, [](Side s) { return static_cast<int>(s); });
  EXPECT_EQ(named(Interval::hour) + numbered(Side::sell), 2);
  cache.invalidate_tag("interval:minute");
  EXPECT_TRUE(named.peek(Interval::hour));
  cache.invalidate_tag("interval:hour");
  EXPECT_FALSE(named.peek(Interval::hour));
  cache.invalidate_tag("side:1");
  EXPECT_FALSE(numbered.peek(Side::sell));
}

TEST(WrapperOfAWrapper, KeepsTheSignature) {
  CacheManager fast, slow;
  int calls = 0;
  auto inner = slow.cached({.ttl = 1h, .prefix = "slow"}, [&](const std::string& symbol, LoadContext<double>&) {
    return ++calls, static_cast<double>(symbol.size());
  });
  auto outer = fast.cached({.ttl = 1s, .prefix = "fast"}, inner).condition([](double value) { return value > 0; });
  static_assert(std::is_convertible_v<decltype(outer), cached<double(const std::string&)>>);
  static_assert(std::is_invocable_v<decltype(outer), const char*> && !std::is_invocable_v<decltype(outer), int>);
  EXPECT_EQ(outer("BTC") + outer("BTC"), 6);
  EXPECT_EQ(outer.key_for("BTC"), "fast:BTC");
  outer.cache_clear();
  EXPECT_EQ(outer("BTC"), 3);
  EXPECT_EQ(calls, 1);
  const cached<double(const std::string&)> handle = inner;
  auto third = fast.cached({.prefix = "third"}, handle);
  EXPECT_EQ(third("BTC"), 3);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace dsta::cache
