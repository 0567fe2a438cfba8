// Many at once by a bulk loader: one call for what is missing, each item with its own outcome, flights shared with
// everybody else.
#include <dsta/cache/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <functional>
#include <latch>
#include <list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/time_budget.hpp"
#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using detail::Core;
using testing_support::FullExecutor;
using testing_support::HandExecutor;
using Ints = std::vector<int>;

struct BatchTest : ::testing::Test {
  /// i -> "i", by single calls and in bulk.
  auto names(EntryOptions options) {
    return cache
        .cached(options,
                [this](int i) {
                  ++single_calls;
                  return std::to_string(i);
                })
        .bulk_loader([this](const Ints& wanted) {
          bulk_calls.push_back(wanted);
          std::vector<std::string> answers;
          for (const int i : wanted) answers.push_back(std::to_string(i));
          return answers;
        });
  }
  template <class T>
  static std::vector<T> values(const std::vector<Outcome<T>>& outcomes) {
    std::vector<T> values;
    for (const auto& outcome : outcomes) values.push_back(outcome.value());
    return values;
  }
  std::shared_ptr<HandExecutor> background = std::make_shared<HandExecutor>();
  testing::CleanCache clean{{.executor = background}};
  CacheManager& cache = clean.cache;
  testing::ManualClock& clock = *clean.clock;
  std::vector<Ints> bulk_calls;
  std::atomic<int> single_calls = 0;
};

TEST_F(BatchTest, ItemsThatAreOneToTheMapAreEachAnswered) {
  struct IgnoringCase {
    bool operator()(const std::string& one, const std::string& other) const {
      const auto lower = [](unsigned char a, unsigned char b) { return std::tolower(a) < std::tolower(b); };
      return std::ranges::lexicographical_compare(one, other, lower);
    }
  };
  const std::string text = "longer than what a string holds in itself";
  const auto f = cache.cached({.prefix = "p"}, [](const std::string& item) { return item; })
                     .bulk_loader([&](const std::vector<std::string>&) {
                       return std::map<std::string, std::string, IgnoringCase>{{"btc", text}, {"eth", "other"}};
                     });
  EXPECT_EQ(values(f.many(std::vector<std::string>{"BTC", "eth", "btc"})), (std::vector{text, "other"s, text}));
  EXPECT_EQ(f.peek("btc"), text);
}

TEST_F(BatchTest, OneCallLoadsWhatIsMissingOnceEachInOrder) {
  const auto f = names({.prefix = "p"});
  f.put(3, "three");
  const auto found = f.many(Ints{1, 3, 2, 1, 3});
  EXPECT_EQ(values(found), (std::vector<std::string>{"1", "three", "2", "1", "three"}));
  EXPECT_EQ(bulk_calls, (std::vector<Ints>{{1, 2}}));
  EXPECT_EQ(f(1), "1");
  EXPECT_EQ(f(2), "2");
  EXPECT_EQ(single_calls, 0);
  EXPECT_EQ(f.cache_info().loads, 1u);
  EXPECT_EQ(f.cache_info().sets, 3u);
  EXPECT_EQ(f.cache_info().misses, 2u);
  EXPECT_TRUE(f.many(Ints{}).empty());
  f.many(Ints{1, 2, 3});
  EXPECT_EQ(bulk_calls.size(), 1u) << "all there: nothing to load";
}

TEST_F(BatchTest, EachItemHasItsOwnValueMissingOrError) {
  const auto f = cache.cached({.prefix = "p"}, [](int i) { return i; }).bulk_loader([](const Ints& wanted) {
    std::vector<Outcome<int>> answers;
    for (const int i : wanted) {
      if (i == 0) answers.emplace_back();
      if (i < 0) answers.emplace_back(std::make_exception_ptr(std::domain_error("negative")));
      if (i > 0) answers.emplace_back(i * 10);
    }
    return answers;
  });
  const auto found = f.many({1, 0, -1, 2});
  EXPECT_EQ(found[0], 10);
  EXPECT_TRUE(found[1].missing());
  EXPECT_THROW(found[1].value(), LoadError);
  EXPECT_EQ(found[1].value_or(7), 7);
  EXPECT_TRUE(found[2].error());
  EXPECT_FALSE(found[2].missing());
  EXPECT_THROW(found[2].value(), std::domain_error);
  EXPECT_EQ(found[3].value(), 20);
  EXPECT_EQ(cache.get_stats().entries, 2u) << "only values are kept";
  EXPECT_EQ(f(0), 0) << "a single call asks the function itself";
}

TEST_F(BatchTest, ABulkLoaderMayAnswerByMapOrWithOptionals) {
  const auto by_map = cache.cached({.prefix = "map"}, [](const std::string& s) { return s.size(); })
                          .bulk_loader([](const std::vector<std::string>& wanted) {
                            std::unordered_map<std::string, std::size_t> answers;
                            for (const auto& s : wanted) {
                              if (!s.empty()) answers[s] = s.size() * 100;
                            }
                            return answers;
                          });
  const auto found = by_map.many({"a", "", "ccc"});
  EXPECT_EQ(found[0], 100u);
  EXPECT_TRUE(found[1].missing());
  EXPECT_EQ(found[2], 300u);

  const auto by_optional =
      cache.cached({.prefix = "optional"}, [](int i) { return i; }).bulk_loader([](const Ints& wanted) {
        std::vector<std::optional<int>> answers;
        for (const int i : wanted) answers.push_back(i % 2 == 0 ? std::optional(i) : std::nullopt);
        return answers;
      });
  EXPECT_TRUE(by_optional.many({1})[0].missing());
  EXPECT_EQ(by_optional.many({2})[0], 2);
}

TEST_F(BatchTest, SeveralArgumentsComeAsTuples) {
  const auto f = cache
                     .cached({.prefix = "p"}, [](std::string_view symbol,
                                                 int period) { return std::string(symbol) + std::to_string(period); })
                     .bulk_loader([](const std::vector<std::tuple<std::string, int>>& wanted) {
                       std::vector<std::string> answers;
                       for (const auto& [symbol, period] : wanted)
                         answers.push_back(symbol + "/" + std::to_string(period));
                       return answers;
                     });
  const auto found = f.many(std::vector<std::pair<const char*, int>>{{"BTC", 14}, {"ETH", 7}});
  EXPECT_EQ(found[0], "BTC/14");
  EXPECT_EQ(f("ETH", 7), "ETH/7");
}

TEST_F(BatchTest, AnExceptionOfTheCallIsThatOfAllItsItems) {
  const auto f = cache.cached({.prefix = "p"}, [](int i) { return i; }).bulk_loader([](const Ints&) -> Ints {
    throw std::runtime_error("down");
  });
  f.put(1, 1);
  const auto found = f.many({1, 2, 3});
  EXPECT_EQ(found[0], 1);
  EXPECT_THROW(found[1].value(), std::runtime_error);
  EXPECT_THROW(found[2].value(), std::runtime_error);
  EXPECT_EQ(f.cache_info().load_failures, 1u);
  EXPECT_EQ(cache.get_stats().entries, 1u);
}

TEST_F(BatchTest, AWrongNumberOfAnswersIsAnErrorThatNamesBothNumbers) {
  const auto f =
      cache.cached({.prefix = "p"}, [](int i) { return i; }).bulk_loader([](const Ints&) { return Ints{1}; });
  const auto found = f.many({1, 2});
  try {
    (void)found[0].value();
    ADD_FAILURE();
  } catch (const LoadError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("1 answers for 2 items"));
  }
}

TEST_F(BatchTest, ABatchWaitsForLoadsUnderWayAndLoadsOnlyTheRest) {
  std::latch loading(1), joined(1);
  cache.core()->probe = [&](Core::Point point, std::string_view) {
    if (point == Core::Point::before_wait) joined.count_down();
  };
  std::vector<Ints> calls;
  const auto f = cache
                     .cached({.prefix = "p"},
                             [&](int i) {
                               loading.count_down();
                               joined.wait();
                               return i + 1000;
                             })
                     .bulk_loader([&](const Ints& wanted) { return calls.push_back(wanted), wanted; });
  std::jthread single([&] { EXPECT_EQ(f(2), 1002); });
  loading.wait();
  EXPECT_EQ(values(f.many({1, 2, 3})), (Ints{1, 1002, 3}));
  EXPECT_EQ(calls, (std::vector<Ints>{{1, 3}}));
  EXPECT_EQ(f.cache_info().coalesced, 1u);
}

TEST_F(BatchTest, ASingleCallWaitsForTheBatchThatLoadsItsKey) {
  std::latch loading(1), joined(2);
  cache.core()->probe = [&](Core::Point point, std::string_view) {
    if (point == Core::Point::before_wait) joined.count_down();
  };
  const auto f = cache.cached({.prefix = "p"}, [&](int) -> int { return ++single_calls, -1; })
                     .bulk_loader([&](const Ints& wanted) {
                       loading.count_down();
                       joined.wait();
                       return wanted;
                     });
  std::jthread batch([&] { EXPECT_EQ(values(f.many({1, 2, 3})), (Ints{1, 2, 3})); });
  loading.wait();
  std::jthread other([&] { EXPECT_EQ(values(f.many({3})), (Ints{3})); });
  EXPECT_EQ(f(2), 2);
  EXPECT_EQ(single_calls, 0);
}

TEST_F(BatchTest, AnItemInvalidatedDuringTheCallIsNotKept) {
  Ints calls;
  cached<std::function<int(int)>>* self = nullptr;
  auto f = cache.cached({.prefix = "p"}, std::function<int(int)>([](int i) { return i; }))
               .bulk_loader([&](const Ints& wanted) {
                 if (self) self->invalidate(2);
                 return wanted;
               });
  self = &f;
  EXPECT_EQ(values(f.many({1, 2, 3})), (Ints{1, 2, 3}));
  EXPECT_TRUE(f.peek(1));
  EXPECT_FALSE(f.peek(2));
  EXPECT_TRUE(f.peek(3));
  EXPECT_EQ(f.cache_info().fenced, 1u);
}

TEST_F(BatchTest, StaleItemsAreServedAndRefreshedByOneCall) {
  const auto f = names({.ttl = 60s, .prefix = "p", .stale_for = 60s});
  f.many({1, 2});
  clock.advance(70s);
  EXPECT_EQ(values(f.many({1, 2, 3})), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(bulk_calls, (std::vector<Ints>{{1, 2}, {3}}));
  f.many({1, 2});
  EXPECT_EQ(background->run(), 1u) << "asked for twice, refreshed once";
  EXPECT_EQ(bulk_calls.back(), (Ints{1, 2}));
  EXPECT_EQ(cache.get_ttl(f.key_for(1)), 60s);
}

TEST_F(BatchTest, AFullExecutorFailsItemsAndNothingHangs) {
  testing::CleanCache full({.executor = std::make_shared<FullExecutor>()});
  const auto f = full.cache.cached({.prefix = "p", .load_timeout = 1s}, [](int i) { return i; })
                     .bulk_loader([](const Ints& wanted) { return wanted; });
  f.put(1, 1);
  const auto found = f.many({1, 2});
  EXPECT_EQ(found[0], 1);
  EXPECT_THROW(found[1].value(), OverloadError);
}

TEST_F(BatchTest, ABulkLoaderThatAsksForWhatItLoadsIsToldSo) {
  cached<std::function<int(int)>>* self = nullptr;
  auto f = cache.cached({.prefix = "p"}, std::function<int(int)>([](int i) { return i; }))
               .bulk_loader([&](const Ints& wanted) -> Ints {
                 EXPECT_THROW(self->many({1})[0].value(), RecursiveLoadError);
                 EXPECT_EQ((*self)(50), 50) << "other keys work";
                 (*self)(2);
                 return wanted;
               });
  self = &f;
  EXPECT_THROW(f.many({1, 2})[0].value(), RecursiveLoadError);
}

TEST_F(BatchTest, TwoBatchesThatWaitForEachOtherDoNotDeadlock) {
  std::latch both(2);
  std::atomic<int> received = 0;
  cached<std::function<int(int)>>* self = nullptr;
  auto f = cache.cached({.prefix = "p"}, std::function<int(int)>([](int i) { return i; }))
               .bulk_loader([&](const Ints& wanted) {
                 both.arrive_and_wait();
                 const auto others = self->many({wanted[0] == 1 ? 2 : 1});
                 if (others[0].error()) ++received;
                 return wanted;
               });
  self = &f;
  std::jthread left([&] { EXPECT_EQ(values(f.many({1})), (Ints{1})); });
  EXPECT_EQ(values(f.many({2})), (Ints{2}));
  left.join();
  EXPECT_EQ(received, 1);
}

TEST_F(BatchTest, HooksTagsAndTtlHoldForEachItem) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "p", .tags = {"n:{0}"}}, [](int i) { return i; })
                     .bulk_loader([](const Ints& wanted) { return wanted; })
                     .condition([](int i) { return i != 2; })
                     .adaptive_ttl([](int i) { return std::chrono::seconds(i); });
  EXPECT_EQ(values(f.many({1, 2, 3})), (Ints{1, 2, 3}));
  EXPECT_EQ(cache.get_ttl(f.key_for(3)), 3s);
  EXPECT_FALSE(f.peek(2));
  cache.invalidate_tag("n:3");
  EXPECT_FALSE(f.peek(3));
  EXPECT_TRUE(f.peek(1));
}

TEST_F(BatchTest, AfterItsManagerIsGoneABatchStillLoads) {
  auto manager = std::make_unique<CacheManager>();
  const auto f =
      manager->cached({.prefix = "p"}, [](int i) { return i; }).bulk_loader([](const Ints& wanted) { return wanted; });
  manager.reset();
  EXPECT_EQ(values(f.many({1, 2, 1})), (Ints{1, 2, 1}));
}

TEST_F(BatchTest, CountsEarlyRefreshesAndNegativeHitsAsSingleCallsDo) {
  using Maybe = std::optional<int>;
  const auto f = cache.cached({.ttl = 100s, .prefix = "p", .refresh_ahead = 0.5}, [](int i) { return i; })
                     .bulk_loader([](const Ints& wanted) { return wanted; });
  const auto none = cache.cached({.prefix = "none", .negative_ttl = 100s}, [](int) { return Maybe(); })
                        .bulk_loader([](const Ints& wanted) { return std::vector<Maybe>(wanted.size()); });
  f.many({1, 2}), none.many({1, 2});
  none.many({1, 2});
  clock.advance(60s);
  f.many({1, 2, 3});
  EXPECT_EQ(cache.get_stats().early_refreshes, 2u);
  EXPECT_EQ(cache.get_stats().negative_hits, 2u);
}

TEST(BatchOfAClosedManager, ItsLoaderHasTimeOfItsOwn) {
  auto cache = std::make_unique<CacheManager>("redis://127.0.0.1:1?connect_timeout=1ms");
  TimePoint end{};
  const auto f = cache->cached({.prefix = "f"}, std::function<int(int)>([](int n) { return n; }))
                     .bulk_loader([&](const std::vector<int>& keys) {
                       end = detail::TimeBudget::end();
                       return keys;
                     });
  cache.reset();
  EXPECT_EQ(f.many(std::vector<int>{1, 2})[1].value(), 2);
  EXPECT_EQ(end, TimePoint::max());
}

TEST(Batch, WhatAKeyBuilderThrowsOfAnItemIsItsOutcomeAlone) {
  const auto evens_alone = [](int n) { return n % 2 != 0 ? throw std::domain_error("odd") : n; };
  CacheManager cache;
  std::vector<int> loaded;
  const auto one_by_one =
      cache.cached({.ttl = 60s, .prefix = "one"}, [](int n) { return 10 * n; }).key_builder(evens_alone);
  const auto bulk = cache.cached({.ttl = 60s, .prefix = "bulk", .tags = {"t:{0}"}}, [](int n) { return 10 * n; })
                        .key_builder(evens_alone)
                        .bulk_loader([&](const std::vector<int>& items) {
                          std::vector<int> answers;
                          for (const int n : items) loaded.push_back(n), answers.push_back(10 * n);
                          return answers;
                        });
  for (const auto& many :
       {one_by_one.many({1, 2, 3, 4, 2, 1}), bulk.many({1, 2, 3, 4, 2, 1}), bulk.many({1, 2, 3, 4, 2, 1})}) {
    ASSERT_EQ(many.size(), 6u);
    EXPECT_EQ(many[1], 20);
    EXPECT_EQ(many[3], 40);
    EXPECT_EQ(many[4], 20);
    for (const std::size_t odd : {0u, 2u, 5u}) EXPECT_THROW((void)many[odd].value(), std::domain_error);
  }
  EXPECT_EQ(loaded, (std::vector<int>{2, 4}));
}

/// An argument that can be made into a key and a tag, but not copied a second time.
struct Fragile {
  explicit Fragile(int value) : n(value) {}
  Fragile(const Fragile& other) : n(other.n) {
    if (n < 0) throw std::domain_error("negative");
  }
  int n;
};
inline void append_key(KeyWriter& key, const Fragile& value) { key(value.n); }

TEST(Batch, AnItemThatCannotBeKeptFailsAlone) {
  CacheManager cache;
  const auto bulk = cache.cached({.ttl = 60s, .prefix = "bulk"}, [](const Fragile& one) { return 10 * one.n; })
                        .bulk_loader([&](const std::vector<Fragile>& items) {
                          std::vector<int> answers;
                          for (const Fragile& one : items) answers.push_back(10 * one.n);
                          return answers;
                        });
  std::list<Fragile> items;
  for (const int n : {1, -2, 3, -4}) items.emplace_back(n);
  const auto found = bulk.many(items);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0], 10);
  EXPECT_EQ(found[2], 30);
  EXPECT_THROW((void)found[1].value(), std::domain_error);
  EXPECT_THROW((void)found[3].value(), std::domain_error);
}

}  // namespace
}  // namespace dsta::cache
