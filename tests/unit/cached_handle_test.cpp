// cached<R(Args...)>: a handle of wrappers of any functions with one signature. lazy: a wrapper made at its first use.
#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <dsta/cache.hpp>
#include <dsta/cache/lazy.hpp>
#include <dsta/cache/testing.hpp>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

using Price = cached<double(const std::string&)>;

double length(const std::string& text) { return static_cast<double>(text.size()); }

template <class F>
using Wrapper = decltype(std::declval<CacheManager&>().cached(EntryOptions(), std::declval<F>()));

template <class R, class... P>
struct Returns {
  R operator()(P...) { return R(); }
};
static_assert(std::is_convertible_v<Wrapper<Returns<double, std::string>>, Price>);
static_assert(std::is_convertible_v<Wrapper<Returns<double, const std::string&>>, Price>);
static_assert(std::is_convertible_v<Wrapper<Returns<const double, std::string&&>>, Price>);
static_assert(std::is_convertible_v<cached<std::function<double(const std::string&)>>, Price>);
static_assert(std::is_convertible_v<Price, cached<double(std::string)>>);
static_assert(std::is_convertible_v<Price, cached<std::function<double(std::string)>>>);
static_assert(!std::is_convertible_v<Wrapper<Returns<float, std::string>>, Price>);
static_assert(!std::is_convertible_v<Wrapper<Returns<double, int>>, Price>);
static_assert(!std::is_convertible_v<Wrapper<Returns<double, std::string, int>>, Price>);
static_assert(!std::is_convertible_v<Wrapper<Returns<double>>, Price>);
static_assert(!std::is_convertible_v<Price, Wrapper<Returns<double, std::string>>>, "the function is not known");
static_assert(std::is_nothrow_constructible_v<Price, const Wrapper<decltype(&length)>&>);
static_assert(std::is_invocable_r_v<double, Price, const char*> && !std::is_invocable_v<Price, int>);
static_assert(std::is_invocable_v<cached<int(int)>, long> && !std::is_invocable_v<cached<int(int)>>);
static_assert(sizeof(Price) == sizeof(std::shared_ptr<void>));
// Mistakes have sentences of their own, and to the standard library are what they were: no conversions.
template <class Given>
constexpr bool kMakesPrice = std::is_convertible_v<Given, Price> || std::is_constructible_v<Price, Given>;
static_assert(!kMakesPrice<Wrapper<Returns<int, std::string>>> && !kMakesPrice<cached<double(int)>>);
static_assert(!kMakesPrice<decltype(&length)> && !kMakesPrice<decltype(length)&>);
static_assert(!kMakesPrice<std::function<double(std::string)>>);
static_assert(!std::is_default_constructible_v<Price> && !std::is_default_constructible_v<cached<decltype(&length)>>);
static_assert(!std::is_assignable_v<Price&, cached<double(int)>> &&
              std::is_assignable_v<Price&, cached<double(std::string)>>);
static_assert(std::is_nothrow_move_constructible_v<Price> && std::is_copy_assignable_v<Price>);

struct CachedHandle : ::testing::Test, testing::CleanCache {
  int calls = 0;
  Price wrapped(EntryOptions options = {.ttl = 60s, .prefix = "api"}) {
    return cache.cached(options, [this](const std::string& symbol) { return ++calls, length(symbol); });
  }
};

TEST_F(CachedHandle, IsTheWrapperItRefersTo) {
  auto wrapper =
      cache.cached({.ttl = 60s, .prefix = "api"}, [this](std::string symbol) { return ++calls, length(symbol); });
  const Price handle = wrapper;
  EXPECT_EQ(handle("BTC") + wrapper("BTC") + handle(std::string_view("BTC")), 9);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(handle.key_for("BTC"), wrapper.key_for("BTC"));
  EXPECT_EQ(handle.cache_info().hits, 2U);
  handle.cache_clear();
  EXPECT_FALSE(wrapper.peek("BTC"));
}

TEST_F(CachedHandle, HasEveryMemberOfAWrapper) {
  const Price handle = wrapped();
  EXPECT_EQ(*handle.shared("BTC"), 3);
  EXPECT_EQ(handle.refresh("BTC"), 3);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(handle.peek("BTC"), 3);
  EXPECT_TRUE(handle.put("ETH", 4.5));
  EXPECT_EQ(handle("ETH"), 4.5);
  EXPECT_TRUE(handle.invalidate("ETH"));
  EXPECT_EQ(handle.invalidate_matching("BTC"), 1U);
  const auto both = handle.many({"BTC", "ETHUSDT", "BTC"});
  ASSERT_EQ(both.size(), 3U);
  EXPECT_EQ(both[1], 7.0);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(handle.cache_info().prefix, "api");
}

TEST_F(CachedHandle, TakesHooksOfItsSignature) {
  Price handle =
      cache.cached({.ttl = 60s, .prefix = "api"}, std::function<double(const std::string&)>(length))
          .key_builder([](std::string_view symbol) { return symbol.substr(0, 3); })
          .condition([](double value) { return value > 3; })
          .bulk_loader([](const std::vector<std::string>& symbols) { return std::vector<double>(symbols.size(), 99); });
  EXPECT_EQ(handle("BTCUSDT"), 7);
  EXPECT_EQ(handle("BTCEUR"), 7) << "one key";
  EXPECT_EQ(handle("XYZ"), 3);
  EXPECT_FALSE(handle.peek("XYZ"));
  EXPECT_EQ(handle.many({"ETHUSDT"})[0], 99.0);
}

TEST_F(CachedHandle, StandsInContainersAndChangesItsTarget) {
  std::map<std::string, Price> sources;
  for (const char* name : {"binance", "kraken"}) {
    sources.emplace(name, cache.cached({.ttl = 60s, .prefix = "api", .name = name},
                                       [n = std::string(name)](const std::string&) { return length(n); }));
  }
  EXPECT_EQ(sources.at("binance")("BTC"), 7);
  EXPECT_EQ(sources.at("kraken")("BTC"), 6);
  sources.at("binance") = sources.at("kraken");
  EXPECT_EQ(sources.at("binance")("BTC"), 6);
  sources.insert_or_assign("length", wrapped());
  sources.insert_or_assign("length", cache.cached({.name = "other"}, length));
  EXPECT_EQ(sources.at("length").key_for("BTC"), "other:BTC");
  std::vector<Price> list{sources.at("kraken"), cache.cached({.name = "first"}, length)};
  list.push_back(cache.cached({.name = "second"}, length));
  list.emplace_back(cache.cached({.name = "third"}, length));
  EXPECT_EQ(list.back().key_for("BTC"), "third:BTC");
}

TEST_F(CachedHandle, StandsWhereItIsMadeLater) {
  std::optional<Price> later;
  later = wrapped();
  EXPECT_EQ((*later)("BTC"), 3);
  later.emplace(cache.cached({.name = "other"}, length));
  EXPECT_EQ(later->key_for("BTC"), "other:BTC");
  std::variant<std::monostate, cached<int(int)>, Price> either;
  either = cache.cached({.name = "either"}, length);
  EXPECT_EQ(std::get<Price>(either)("BTC"), 3) << "the alternative of its signature";
  struct Service {
    Price price;
  };
  const Service service{cache.cached({.name = "member"}, length)};
  const std::pair<int, Price> pair(1, service.price);
  EXPECT_EQ(pair.second("BTC"), 3);
}

TEST_F(CachedHandle, PassesArgumentsAsTheFunctionTakesThem) {
  const cached<std::size_t(std::string)> consumer =
      cache.cached({.name = "consume"}, [](std::string&& text) { return std::exchange(text, "").size(); });
  EXPECT_EQ(consumer("abc"), 3U);
  EXPECT_EQ(consumer.refresh("abc"), 3U) << "each load gets a copy of its own";
  const cached<std::size_t(std::string_view)> viewer =
      cache.cached({.name = "view"}, [](std::string_view text) { return text.size(); });
  EXPECT_EQ(viewer(std::string("abcd")), 4U);
  const cached<int()> constant = cache.cached({.name = "constant"}, [] { return 7; });
  EXPECT_EQ(constant(), 7);
  const cached<int(int, int)> sum = cache.cached({.name = "sum"}, [](int a, int b) { return a + b; });
  EXPECT_EQ(sum(1, 2L), 3);
  EXPECT_EQ(sum.many(std::vector<std::pair<int, int>>{{3, 4}})[0], 7);
}

TEST_F(CachedHandle, ALoadContextIsPassedToTheFunction) {
  const cached<int(int)> handle = cache.cached({.ttl = 60s, .prefix = "api"}, [](int n, LoadContext<int>& context) {
    const auto previous = context.previous();
    return previous ? *previous + n : n;
  });
  EXPECT_EQ(handle(5), 5);
  EXPECT_EQ(handle.refresh(5), 10) << "the load knows the previous value";
}

TEST_F(CachedHandle, OutlivesItsWrapperAndItsManager) {
  std::optional<CacheManager> own(std::in_place);
  std::optional<Price> handle;
  {
    auto wrapper = own->cached({.ttl = 60s, .prefix = "api"},
                               [this](const std::string& symbol) { return ++calls, length(symbol); });
    handle = wrapper;
  }
  EXPECT_EQ((*handle)("BTC") + (*handle)("BTC"), 6);
  EXPECT_EQ(calls, 1);
  EXPECT_THROW((void)own->cached({.prefix = "api"}, length), ConfigError) << "the handle keeps the name";
  own.reset();
  EXPECT_EQ((*handle)("BTC"), 3);
  EXPECT_EQ(calls, 2);
}

TEST_F(CachedHandle, TheNameIsFreeWhenTheLastHandleIsGone) {
  {
    const Price handle = wrapped();
    (void)handle;
  }
  EXPECT_NO_THROW((void)cache.cached({.prefix = "api"}, length));
}

TEST_F(CachedHandle, AnExceptionOfTheFunctionPassesThrough) {
  const cached<int(int)> handle = cache.cached({}, [](int) -> int { throw std::out_of_range("no"); });
  EXPECT_THROW((void)handle(1), std::out_of_range);
  EXPECT_TRUE(handle.many({1})[0].error());
}

TEST(Handle, AHookIsNotSetOnAWrapperInUse) {
  CacheManager cache;
  const auto keep = [](double) { return true; };
  auto f = cache.cached({.prefix = "f"}, length);
  EXPECT_THROW((void)Price(f).condition(keep), ConfigError);
  EXPECT_THROW((void)Price(f).adaptive_ttl([](double) { return 1s; }), ConfigError);
  EXPECT_THROW((void)Price(f).adaptive_tags([](double) { return std::vector<std::string>(); }), ConfigError);
  EXPECT_THROW((void)Price(f).key_builder([](const std::string& s) { return s; }), ConfigError);
  EXPECT_THROW(
      (void)Price(f).bulk_loader([](const std::vector<std::string>& s) { return std::vector<double>(s.size()); }),
      ConfigError);
  {
    const auto copy = f;
    EXPECT_THROW((void)std::move(f).condition(keep), ConfigError);
  }
  EXPECT_EQ(f("BTC"), 3) << "a refusal leaves the wrapper";
  auto g = std::move(f).condition(keep).adaptive_ttl([](double) { return 0s; });
  EXPECT_EQ(g("ETH2"), 4);
  EXPECT_FALSE(g.peek("ETH2"));
  const Price handle = cache.cached({.prefix = "g"}, length).condition([](double) { return false; });
  EXPECT_EQ(handle("BTC"), 3);
  EXPECT_FALSE(handle.peek("BTC"));
}

// --- lazy

std::atomic<int> made{0};
CacheManager& lazy_cache() {
  static CacheManager cache;
  return cache;
}
constinit const auto lazily = lazy([] { return ++made, lazy_cache().cached({.prefix = "lazy"}, length); });
std::atomic<int> refusals{0};
constinit const auto refused_once = lazy([] {
  if (++refusals == 1) throw ConfigError("not yet");
  return lazy_cache().cached({.prefix = "refused"}, length);
});

static_assert(std::is_invocable_r_v<double, decltype(lazily), const char*>);
static_assert(!std::is_invocable_v<decltype(lazily), int> && !std::is_invocable_v<decltype(lazily)>);

TEST(Lazy, WrapsOnceWhenItIsFirstUsed) {
  EXPECT_EQ(made, 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([] { EXPECT_EQ(lazily("BTC"), 3); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(lazily->peek("BTC"), 3);
  const Price handle = *lazily;
  EXPECT_EQ(handle.key_for("BTC"), "lazy:BTC");
}

int total(const std::vector<int>& values) { return std::accumulate(values.begin(), values.end(), 0); }
constinit const auto lazy_total = lazy([] { return lazy_cache().cached({.prefix = "total"}, total); });
static_assert(!std::is_convertible_v<decltype(lazy_total), Price>);

TEST(Lazy, WorksWhereAFunctionWorks) {
  double of_thread = 0;
  std::jthread([&](const auto& function, const char* text) { of_thread = function(text); }, lazily, "BTC").join();
  EXPECT_EQ(of_thread, 3);
  EXPECT_EQ(std::bind_front(lazily, "ETH2")(), 4);
  const std::function<double(std::string)> function = lazily;
  EXPECT_EQ(function("BTC"), 3);
  const std::vector<std::string> symbols{"BTC", "ETH2"};
  std::vector<double> lengths;
  std::ranges::transform(symbols, std::back_inserter(lengths), lazily);
  EXPECT_EQ(lengths, (std::vector<double>{3, 4}));
  EXPECT_EQ(lazy_total({1, 2}), 3);
  EXPECT_EQ(lazy_total(std::vector<int>{1, 2}), 3);
  const auto copy = lazily;
  EXPECT_EQ(&*copy, &*lazily) << "one wrapper";
  EXPECT_EQ(made, 1);
}

TEST(Lazy, ConvertsToTheHandlesOfItsWrapper) {
  const Price handle = lazily;
  EXPECT_EQ(handle.key_for("BTC"), "lazy:BTC");
  std::map<std::string, cached<double(std::string)>> handles;
  handles.emplace("length", lazily);
  EXPECT_EQ(handles.at("length")("BTC"), 3);
}

TEST(Lazy, IsWarmed) {
  CacheWarmer warmer(lazy_cache());
  EXPECT_EQ(warmer.warm(lazily, std::vector<std::string>{"WARM"}).warmed, 1U);
  EXPECT_EQ(lazily->peek("WARM"), 4);
}

TEST(Lazy, AWrapperThatCannotBeMadeIsTriedAgain) {
  EXPECT_THROW((void)refused_once("BTC"), ConfigError);
  EXPECT_EQ(refused_once("BTC"), 3);
  EXPECT_EQ(refused_once("BTC"), 3);
  EXPECT_EQ(refusals, 2);
}

std::atomic<int> attempts{0};
constinit const auto refused_to_many = lazy([] {
  if (++attempts <= 2) throw ConfigError("not yet");
  return lazy_cache().cached({.prefix = "many"}, length);
});

TEST(Lazy, ThreadsThatWaitForAFirstUseThatThrowsTryAgain) {
  std::atomic<int> thrown{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      try {
        EXPECT_EQ(refused_to_many("BTC"), 3);
      } catch (const ConfigError&) {
        ++thrown;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(thrown, 2);
  EXPECT_EQ(attempts, 3);
}

}  // namespace
}  // namespace dsta::cache
