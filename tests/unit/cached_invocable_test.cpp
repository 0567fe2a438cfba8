#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <ranges>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <dsta/cache.hpp>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

struct UserId {
  explicit UserId(int number) : id(number) {}
  int id;
};
void append_key(KeyWriter& key, const UserId& user) { key(user.id); }

/// A call of a function that takes it implicitly: the other constructor must not be chosen.
struct Amount {
  Amount(long units) : text("implicit " + std::to_string(units)) {}
  explicit Amount(int units) : text("explicit " + std::to_string(units)) {}
  std::string text;
};
void append_key(KeyWriter& key, const Amount& amount) { key(amount.text); }

enum class Period { minute, hour };

double price(const std::string& symbol) { return static_cast<double>(symbol.size()); }
std::int64_t wait_for(std::chrono::seconds time) { return time.count(); }
[[maybe_unused]] std::size_t count(const std::vector<int>& values) { return values.size(); }
int user(const UserId& id) { return id.id; }
std::string amount(const Amount& given) { return given.text; }
[[maybe_unused]] int interval(Period i) { return static_cast<int>(i); }
std::size_t consume(std::string&& text) { return std::exchange(text, "").size(); }
[[maybe_unused]] int nothing() { return 7; }

/// Can be moved and not copied.
struct Ticket {
  explicit Ticket(int number) : id(number) {}
  Ticket(Ticket&&) = default;
  int id;
};
void append_key(KeyWriter& key, const Ticket& ticket) { key(ticket.id); }
int ticket(const Ticket& given) { return given.id; }

template <class F>
using Wrapper = decltype(std::declval<CacheManager&>().cached(EntryOptions(), std::declval<F>()));
/// The wrapper and the bare function agree.
template <class F, class... Arguments>
constexpr bool agrees(bool expected) {
  return std::is_invocable_v<F, Arguments...> == expected && std::is_invocable_v<Wrapper<F>, Arguments...> == expected;
}

static_assert(agrees<decltype(&price), std::string>(true) && agrees<decltype(&price), const char*>(true));
static_assert(agrees<decltype(&price), std::string&>(true) && agrees<decltype(&price), const std::string&>(true));
static_assert(agrees<decltype(&price)>(false) && agrees<decltype(&price), int>(false));
static_assert(agrees<decltype(&price), std::string, int>(false) && agrees<decltype(&price), std::vector<char>>(false));
static_assert(std::is_invocable_r_v<double, Wrapper<decltype(&price)>, std::string_view>, "text is text");
static_assert(agrees<decltype(&wait_for), std::chrono::minutes>(true) && agrees<decltype(&wait_for), int>(false));
static_assert(agrees<decltype(&wait_for), std::chrono::milliseconds>(false));
static_assert(agrees<decltype(&count), std::vector<int>>(true) && agrees<decltype(&count), int>(false));
static_assert(agrees<decltype(&count), std::initializer_list<int>>(true));
static_assert(agrees<decltype(&user), UserId>(true) && agrees<decltype(&user), int>(false));
static_assert(agrees<decltype(&amount), int>(true) && agrees<decltype(&amount), std::string>(false));
static_assert(agrees<decltype(&interval), Period>(true) && agrees<decltype(&interval), int>(false));
static_assert(agrees<decltype(&consume), std::string>(true) && agrees<decltype(&consume), const char*>(true));
static_assert(agrees<decltype(&consume), std::string&>(false) && agrees<decltype(&consume), const std::string&>(false));
static_assert(agrees<decltype(&nothing)>(true) && agrees<decltype(&nothing), int>(false));
static_assert(std::is_same_v<std::invoke_result_t<Wrapper<decltype(&price)>, std::string>, double>);
static_assert(agrees<decltype(&ticket), Ticket>(true));
static_assert(!std::is_invocable_v<Wrapper<decltype(&ticket)>, Ticket&>, "the load keeps its argument");
static_assert(!std::is_invocable_v<Wrapper<decltype(&ticket)>, const Ticket&>);

TEST(CachedInvocable, MovesAnArgumentThatCannotBeCopied) {
  CacheManager cache;
  auto f = cache.cached({.prefix = "ticket"}, ticket);
  EXPECT_EQ(f(Ticket(5)), 5);
  const Ticket known(5);
  EXPECT_EQ(f.peek(known), 5) << "looking needs no copy";
  EXPECT_TRUE(f.invalidate(known));
}

TEST(CachedInvocable, DefaultArgumentsOfALambdaMayBeLeftOut) {
  const auto rsi = [](const std::string& symbol, int period = 14) { return static_cast<int>(symbol.size()) + period; };
  using Rsi = decltype(rsi);
  static_assert(agrees<Rsi, std::string>(true) && agrees<Rsi, std::string, int>(true));
  static_assert(agrees<Rsi>(false) && agrees<Rsi, std::string, std::string>(false));
  CacheManager cache;
  auto f = cache.cached({}, rsi);
  EXPECT_EQ(f("BTC"), 17);
  EXPECT_EQ(f("BTC", 2), 5);
}

TEST(CachedInvocable, AGenericFunctionIsInvocableWithWhatItTakes) {
  const auto twice = [](std::integral auto n) { return n * 2; };
  static_assert(agrees<decltype(twice), int>(true) && agrees<decltype(twice), std::string>(false));
  static_assert(agrees<decltype(twice)>(false));
  CacheManager cache;
  EXPECT_EQ(cache.cached({}, twice)(21L), 42);
}

template <class F, class Argument>
concept CanCall = requires(const F& f, Argument argument) {
  f(argument);
};

TEST(CachedInvocable, AnInvalidCallIsNoErrorInARequirement) {
  static_assert(CanCall<Wrapper<decltype(&price)>, std::string> && !CanCall<Wrapper<decltype(&price)>, int>);
  static_assert(std::is_constructible_v<std::function<double(std::string)>, Wrapper<decltype(&price)>>);
  static_assert(!std::is_constructible_v<std::function<double(int)>, Wrapper<decltype(&price)>>);
  static_assert(std::regular_invocable<Wrapper<decltype(&price)>&, std::string>);
}

TEST(CachedInvocable, ImplicitConversionsAreThoseOfTheBareCall) {
  CacheManager cache;
  auto f = cache.cached({}, amount);
  const int five = 5;
  EXPECT_EQ(f(five), amount(five));
  EXPECT_EQ(f(five), "implicit 5");
  EXPECT_EQ(f.key_for(five), f.key_for(Amount(5L)));
  EXPECT_EQ(cache.cached({.name = "wait"}, wait_for)(2min), 120);
}

TEST(CachedInvocable, BracesMakeAnArgument) {
  int calls = 0;
  CacheManager cache;
  auto sum = cache.cached({.name = "sum"}, [&](const std::vector<int>& values, long factor) {
    ++calls;
    return static_cast<long>(values.size()) * factor;
  });
  EXPECT_EQ(sum({1, 2, 3}, 2), 6);
  EXPECT_EQ(sum(std::vector<int>{1, 2, 3}, 2L), 6);
  EXPECT_EQ(sum({}, {}), 0);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(cache.cached({.name = "user"}, user)(UserId{7}), 7);
  EXPECT_EQ(cache.cached({.name = "consume"}, consume)({'a', 'b'}), 2U);
}

TEST(CachedInvocable, AnArgumentStaysAsItWas) {
  CacheManager cache;
  auto f = cache.cached({}, [](std::string text) { return text.size(); });
  const std::string text(500, 'x');
  EXPECT_EQ(f(text), 500U);
  EXPECT_EQ(f(text), 500U);
  EXPECT_EQ(text.size(), 500U);
}

TEST(CachedInvocable, StandsWhereAFunctionDoes) {
  CacheManager cache;
  auto f = cache.cached({}, price);
  const std::vector<std::string> symbols{"BTC", "ETHUSDT"};
  std::vector<double> prices;
  std::ranges::transform(symbols, std::back_inserter(prices), f);
  EXPECT_EQ(prices, (std::vector<double>{3, 7}));
#ifndef __clang__  // clang 14 does not compile libstdc++ 12's views
  for (const double one : symbols | std::views::transform(f)) EXPECT_GT(one, 2);
#endif

  const std::function<double(const std::string&)> function = f;
  EXPECT_EQ(function("BTC"), 3);
  EXPECT_EQ(std::bind_front(f, "ETHUSDT")(), 7);
  EXPECT_EQ(std::invoke(f, "BTC"), 3);

  auto seen = cache.cached({.name = "seen"}, [](int n) { return n + 1; });
  std::thread(seen, 1).join();
  std::jthread(seen, 2).join();
  EXPECT_EQ(seen.peek(1), 2);
  EXPECT_EQ(seen.peek(2), 3);
}

TEST(CachedInvocable, RefQualifiedCallOperatorsHaveASignature) {
  struct OfConst {
    int operator()(int n) const& { return n; }
  };
  struct OfLvalue {
    int operator()(int n) & noexcept { return n * 2; }
  };
  CacheManager cache;
  auto f = cache.cached({.name = "f"}, OfConst{});
  auto g = cache.cached({.name = "g"}, OfLvalue{}).condition([](int) { return true; });
  EXPECT_EQ(f(2L) + g(2L), 6);
  EXPECT_EQ(g.key_for(2), "g:2") << "the parameter's type is known";
}

TEST(CachedInvocable, BatchesAndPutsTakeWhatConverts) {
  CacheManager cache;
  auto f = cache.cached({.name = "consume"}, consume);
  const std::vector<std::string> items{"a", "bc"};
  const auto sizes = f.many(items);
  EXPECT_EQ(sizes[1], 2U);
  EXPECT_EQ(items[1], "bc") << "the function got copies";
  EXPECT_TRUE(f.put("abc", 30));
  EXPECT_EQ(f.peek(std::string_view("abc")), 30U);
}

}  // namespace
}  // namespace dsta::cache
