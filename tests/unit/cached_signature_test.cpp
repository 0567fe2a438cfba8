// What a wrapper knows of its function: names of templates, key builders of fewer arguments, tags of arguments,
// wrappers of wrappers.
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
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
enum class Deal { buy, sell };
template <Deal S>
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

template <class T>
struct Crate {
  static std::size_t f(int n) { return sizeof(T) + static_cast<std::size_t>(n); }
  static std::string g(int n) { return std::to_string(n); }
  template <class U>
  static int h(U n) {
    return static_cast<int>(n);
  }
  struct Inner {
    static int f(int n) { return n; }
  };
};
template <class T>
T first_of(T value, int) {
  return value;
}
template <class T>
struct Pair {};
template <class T>
Pair<T> pair_of(int) {
  return {};
}
inline std::string text_of(int n) { return std::to_string(n); }

enum class Span { minute, hour };
inline void append_key(KeyWriter& key, Span interval) {
  key(std::string_view(interval == Span::minute ? "minute" : "hour"));
}

/// Not every one has a text.
enum class Rungs { text, no_text, nothing, number };
inline void append_key(KeyWriter& key, Rungs depth) {
  if (depth == Rungs::text) key(std::string_view("full"), 5);
  if (depth == Rungs::no_text) key(std::string_view());
  if (depth == Rungs::number) key(20);
}

}  // namespace signature_test

namespace {

using namespace std::chrono_literals;
using namespace signature_test;

template <class... T>
inline constexpr bool all_borrowed = (detail::has_borrowed<detail::TypeList<T>> && ...);
template <class... T>
inline constexpr bool none_borrowed = (!detail::has_borrowed<detail::TypeList<T>> && ...);

TEST(CachedSignature, AnArgumentOwnsItsTextAtEveryDepthOrIsRefused) {
  using Text = const char*;
  EXPECT_TRUE((all_borrowed<std::vector<Text>, std::array<Text, 2>, const std::deque<Text>&, std::span<const Text>,
                            std::map<int, Text>, std::map<Text, int>>));
  EXPECT_TRUE(
      (all_borrowed<std::variant<int, Text>, std::optional<std::vector<Text>>, std::vector<std::pair<int, Text>>,
                    std::tuple<int, std::vector<Text>>, std::vector<std::vector<char*>>>));
  EXPECT_TRUE((all_borrowed<std::vector<int*>, std::vector<std::string_view>, std::variant<int, std::string_view>>));
  EXPECT_TRUE((none_borrowed<std::string_view, std::optional<std::string_view>, std::span<const std::string>,
                             std::pair<int, Text>, std::vector<std::string>, std::vector<int (*)(int)>>));
}

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
  EXPECT_EQ(name(cache.cached<orders<Deal::sell>>({})), "orders<(dsta.cache.signature_test.Deal)1>");
  EXPECT_EQ(name(cache.cached<Quotes::of<long>>({})), "of<long>");
  EXPECT_EQ(name(cache.cached<twice<std::vector<int>::size_type>>({})), "twice<unsigned_long>");
  EXPECT_EQ(name(cache.cached<twice<int>>({.name = "mine"})), "mine");
}

int hidden(int n) { return n; }
template <class T>
int hidden_instance(T n) {
  return static_cast<int>(n);
}
struct Hidden {
  static int f(int n) { return n; }
  operator int() const { return 1; }
};

TEST(NameOfAFunction, AnonymousNamespacesAreNotInIt) {
  CacheManager cache;
  const auto name = [&](auto wrapper) { return wrapper.cache_info().name; };
  EXPECT_EQ(name(cache.cached<hidden>({})), "hidden");
  EXPECT_EQ(name(cache.cached<hidden_instance<int>>({})), "hidden_instance<int>");
  EXPECT_EQ(name(cache.cached<Hidden::f>({.prefix = "h"})), "f");
  EXPECT_EQ(name(cache.cached<Crate<Hidden>::f>({})), "Crate<dsta.cache.(anonymous_namespace).Hidden>.f");
}

TEST(NameOfAFunction, AMemberOfAClassTemplateHasTheArgumentsOfTheClass) {
  CacheManager cache;
  const auto name = [&](auto wrapper) { return wrapper.cache_info().name; };
  auto of_int = cache.cached<Crate<int>::f>({});
  auto of_double = cache.cached<Crate<double>::f>({});
  EXPECT_NE(of_int(1), of_double(1));
  EXPECT_EQ(of_int.key_for(1), "Crate<int>.f:1");
  EXPECT_EQ(of_double.key_for(1), "Crate<double>.f:1");
  EXPECT_EQ(name(cache.cached<Crate<std::string>::g>({})), "Crate<std.string>.g");
  EXPECT_EQ(name(cache.cached<Crate<int>::h<double>>({})), "Crate<int>.h<double>");
  EXPECT_EQ(name(cache.cached<Crate<int>::Inner::f>({})), "Crate<int>.Inner.f");
  EXPECT_EQ(name(cache.cached<Quotes::of<int>>({})), "of<int>")
      << "of a class without arguments its own name is enough";
  EXPECT_EQ(name(cache.cached<text_of>({})), "text_of");
}

// Names of functions that cannot be wrapped, and of one whose result hides where the name begins.
TEST(NameOfAFunction, IsFoundBehindAnyResult) {
  using detail::function_name;
  using detail::FunctionOf;
  using detail::name_in_key;
  using Compare = bool (*)(int);
  constexpr auto kFirst = &first_of<Compare>;
  EXPECT_EQ(function_name<kFirst>(), "first_of");
  EXPECT_EQ(name_in_key("first_of", &typeid(FunctionOf<kFirst>)), "first_of<bool_(_)(int)>");
  EXPECT_EQ(name_in_key("pair_of", &typeid(FunctionOf<pair_of<int>>)), "pair_of<int>");
  EXPECT_EQ(name_in_key("first_of", nullptr), "first_of");
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

TEST(TagsOfArguments, TheOnesOfAPresetAndOfTheManagerAreCheckedWhenWrapping) {
  const auto of_one = [](const std::string& symbol) { return symbol.size(); };
  CacheManager cache{ManagerOptions{.defaults = {.tags = {"all:{0}"}}}};
  EXPECT_THROW((void)cache.cached({.prefix = "none"}, [] { return 1; }), ConfigError);
  EXPECT_NO_THROW((void)cache.cached({.prefix = "one"}, of_one));
  cache.set_preset("api", {.tags = {"symbol:{symbol}"}});
  try {
    (void)cache.cached({.prefix = "api", .name = "f", .tags = {"own"}}, of_one);
    ADD_FAILURE() << "wrapped";
  } catch (const ConfigError& e) {
    EXPECT_STREQ(
        e.what(),
        "the tag 'symbol:{symbol}' (of the prefix's preset or the manager's defaults) of the function 'api:f': "
        "arguments are named by their position, {0} to {9}, not as {symbol}");
  }
  cache.set_preset("api", {.tags = {"symbol:{5}"}});
  EXPECT_THROW((void)cache.cached({.prefix = "api"}, of_one), ConfigError);
  EXPECT_THROW((void)cache.cached({.prefix = "api"})(of_one), ConfigError);
  cache.set_preset("api", {.tags = {"symbol:{0}"}});
  auto f = cache.cached({.prefix = "api"}, of_one);  // the name was not taken by those that were refused
  EXPECT_EQ(f("BTC"), 3U);
  cache.invalidate_tag("symbol:BTC");
  EXPECT_FALSE(f.peek("BTC"));
}

TEST(TagsOfArguments, AnEnumIsSpelledAsItWritesItsKeys) {
  CacheManager cache;
  auto named = cache.cached({.prefix = "named", .tags = {"interval:{0}"}}, [](Span i) { return static_cast<int>(i); });
  auto numbered =
      cache.cached({.prefix = "numbered", .tags = {"side:{0}"}}, [](Deal s) { return static_cast<int>(s); });
  EXPECT_EQ(named(Span::hour) + numbered(Deal::sell), 2);
  cache.invalidate_tag("interval:minute");
  EXPECT_TRUE(named.peek(Span::hour));
  cache.invalidate_tag("interval:hour");
  EXPECT_FALSE(named.peek(Span::hour));
  cache.invalidate_tag("side:1");
  EXPECT_FALSE(numbered.peek(Deal::sell));
}

TEST(TagsOfArguments, AnEnumWithoutATextIsAnEmptyOne) {
  const auto tag = [](Rungs depth) {
    const std::string text[] = {detail::tag_text(depth)};
    return detail::fill_tags({"{0}", "depth:{0}"}, text, 1);
  };
  using Tags = std::vector<std::string>;
  EXPECT_EQ(tag(Rungs::text), (Tags{"full,5", "depth:full,5"}));
  EXPECT_EQ(tag(Rungs::number), (Tags{"20", "depth:20"}));
  EXPECT_EQ(tag(Rungs::no_text), (Tags{"depth:"})) << "as an empty text: what has no name is no tag";
  EXPECT_EQ(tag(Rungs::nothing), (Tags{"depth:"}));
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
