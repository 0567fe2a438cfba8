// Callables with open parameter types: calls whose arguments differ in type never get each other's values, also where
// the key cannot tell the types apart.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

enum class OrderSide { buy, sell };
enum class Kind { limit, market };

struct Pair {
  std::string base, quote;
};
struct Route {
  std::string from, to;
};
void append_key(KeyWriter& key, const Pair& pair) { key(pair.base, pair.quote); }
void append_key(KeyWriter& key, const Route& route) { key(route.from, route.to); }

struct Generic : ::testing::Test, testing::CleanCache {
  int runs = 0;
};

/// Says which of two types its argument is of: a small value, which is copied bytewise, and a large one.
template <class A>
struct Which {
  int& runs;
  template <class T>
  int operator()(const T&) const {
    return ++runs, std::same_as<T, A> ? 1 : 2;
  }
};
template <class A>
struct WhichText {
  int& runs;
  template <class T>
  std::string operator()(const T&) const {
    return ++runs, std::same_as<T, A> ? "first" : "second";
  }
};

template <class A, class B>
void expect_apart(CacheManager& cache, const A& a, const B& b) {
  int runs = 0;
  const auto number = cache.cached({.ttl = 1h, .prefix = "number"}, Which<A>{runs});
  const auto text = cache.cached({.ttl = 1h, .prefix = "text"}, WhichText<A>{runs});
  SCOPED_TRACE(number.key_for(a) + " and " + number.key_for(b));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(number(a), 1);
    EXPECT_FALSE(number.key_for(a) == number.key_for(b) && number.peek(b)) << "another type's value";
    EXPECT_EQ(number(b), 2);
    EXPECT_EQ(text(a), "first");
    EXPECT_EQ(*text.shared(b), "second");
  }
  runs = 0;
  EXPECT_EQ(number(b) + number(b), 4);
  EXPECT_EQ(text(b) + text(b), "secondsecond");
  EXPECT_EQ(runs, 0) << "each type's values are cached all the same";
}

TEST_F(Generic, EnumsAndOwnTypesThatReadAlikeAreKeptApart) {
  expect_apart(cache, OrderSide::buy, Kind::limit);
  expect_apart(cache, Pair{"a", "b"}, Route{"a", "b"});
  expect_apart(cache, std::vector{OrderSide::buy}, std::vector{Kind::limit});
  expect_apart(cache, std::pair(1, Pair{"a", "b"}), std::pair(1, Route{"a", "b"}));
  expect_apart(cache, std::optional(OrderSide::buy), std::optional(Kind::limit));
}

TEST_F(Generic, ContainersThatReadAlikeAreKeptApart) {
  expect_apart(cache, std::vector{1, 2}, std::set{1, 2});
  expect_apart(cache, std::vector{1, 2}, std::list{1, 2});
  expect_apart(cache, std::set{1, 2}, std::multiset{1, 2});
  expect_apart(cache, std::set{1}, std::unordered_set{1});
  expect_apart(cache, 1L, 1LL);
}

TEST_F(Generic, TimePointsOfDifferentClocksAreKeptApart) {
  using std::chrono::steady_clock;
  using std::chrono::system_clock;
  expect_apart(cache, system_clock::time_point(5s), steady_clock::time_point(5s));
  const auto f = cache.cached({.prefix = "p"}, [](const auto&...) { return 0; });
  EXPECT_EQ(f.key_for(std::chrono::sys_seconds(5s), std::chrono::time_point<steady_clock, std::chrono::seconds>(5s)),
            "p:@5s(ti64):@5s(Ti64)");
}

TEST_F(Generic, TheKeySaysTheKindOfContainer) {
  const auto f = cache.cached({.prefix = "p"}, [](const auto&...) { return 0; });
  EXPECT_EQ(f.key_for(std::vector{1}, std::set{1}, std::unordered_set{1}, std::map<int, bool>{{1, true}}),
            "p:(1,)(ri32):(1,)(ai32):(1,)(hi32):((1,true,),)(a<i32b>)");
}

TEST_F(Generic, TakesAPath) {
  const auto f = cache.cached({.prefix = "p"}, [&](const auto&) { return ++runs; });
  const std::filesystem::path path = "/etc/hosts";
  EXPECT_EQ(f(path), 1);
  EXPECT_EQ(f(path), 1);
  EXPECT_EQ(f("/etc/hosts"), 2);
  EXPECT_EQ(f.key_for(path), "p:/etc/hosts(p)");
  EXPECT_EQ(f(std::vector{path}), 3);
  EXPECT_EQ(f(std::vector{path}), 3);
}

TEST_F(Generic, TextIsOneArgumentHoweverItIsHeld) {
  const auto f = cache.cached({.prefix = "p"}, [&](std::string_view text) { return ++runs, text.size(); });
  const auto g = cache.cached({.prefix = "g"}, [&](const auto& text) { return ++runs, std::string_view(text).size(); });
  EXPECT_EQ(g("abc") + g(std::string("abc")) + g(std::string_view("abc")) + g(static_cast<const char*>("abc")), 12u);
  EXPECT_EQ(g.peek("abc"), 3u);
  EXPECT_EQ(f("abc") + f(std::string("abc")), 6u);
  EXPECT_EQ(runs, 2);
}

TEST_F(Generic, PutPeekRefreshAndManyKnowTheArgumentsTypes) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "p"}, Which<OrderSide>{runs});
  EXPECT_TRUE(f.put(Kind::limit, 7));
  EXPECT_EQ(f.peek(Kind::limit), 7);
  EXPECT_FALSE(f.peek(OrderSide::buy));
  EXPECT_EQ(f(Kind::limit), 7);
  EXPECT_EQ(f.refresh(OrderSide::buy), 1);
  EXPECT_EQ(f.peek(OrderSide::buy), 1);
  EXPECT_FALSE(f.peek(Kind::limit));
  for (const auto& outcome : f.many({Kind::limit, Kind::market})) EXPECT_EQ(outcome.value(), 2);
  EXPECT_FALSE(f.peek(OrderSide::buy));
}

TEST_F(Generic, ManualCallsReachItsValuesAndItTakesTheirs) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "p"}, Which<OrderSide>{runs});
  EXPECT_EQ(f(OrderSide::buy), 1);
  EXPECT_EQ(cache.get<int>(f.key_for(OrderSide::buy)), 1);
  EXPECT_FALSE(cache.get<std::string>(f.key_for(OrderSide::buy)));
  EXPECT_EQ(cache.increment(f.key_for(OrderSide::buy)), 2);
  cache.set(f.key_for(OrderSide::buy), 9);
  EXPECT_EQ(f(OrderSide::buy), 9);
  EXPECT_TRUE(f.invalidate(OrderSide::buy));
  EXPECT_EQ(f(OrderSide::buy), 1);
}

TEST_F(Generic, AValueOfOneTypeMayBeMadeOfThatOfAnother) {
  std::function<int(Kind)> inner;
  const auto f = cache.cached({.ttl = 1h, .prefix = "p"}, [&](const auto& value) {
    ++runs;
    if constexpr (std::same_as<decltype(value), const OrderSide&>) {
      return inner(Kind::limit) + 1;
    } else {
      return 10;
    }
  });
  inner = [&](Kind kind) { return f(kind); };
  EXPECT_EQ(f(OrderSide::buy), 11);
  EXPECT_EQ(f(OrderSide::buy), 11);
  EXPECT_EQ(runs, 2);
}

TEST_F(Generic, AnInvalidationReachesTheValuesOfAllTypes) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "p"}, Which<OrderSide>{runs});
  f(OrderSide::buy), f(Kind::market), f(1), f("1");
  f.cache_clear();
  EXPECT_FALSE(f.peek(OrderSide::buy) || f.peek(Kind::market) || f.peek(1) || f.peek("1"));
}

}  // namespace
}  // namespace dsta::cache
