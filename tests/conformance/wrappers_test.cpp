// Wrapped functions: when they run, what is kept of their answers, and what their handles do.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend_test.hpp"
#include "eventually.hpp"
#include "on_threads.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using Ints = std::vector<int>;

struct Wrappers : BackendTest {
  /// Numbers its runs.
  auto numbered(EntryOptions options) {
    return cache.cached(options, [this](int) { return ++loads; });
  }
  std::atomic<int> loads = 0;
};
INSTANTIATE_TEST_SUITE_P(On, Wrappers, all_backends(), backend_name);

TEST_P(Wrappers, RunTheirFunctionOncePerArgumentWithinTheTtl) {
  const auto f = numbered({.ttl = 200ms, .prefix = "f"});
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(f(0), 1);
  EXPECT_EQ(f(1), 2);
  EXPECT_TRUE(eventually([&] { return !f.peek(0); }, 2s));
  EXPECT_EQ(f(0), 3);
}

TEST_P(Wrappers, OfConcurrentCallersOneRunsIt) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [this](int i) {
    ++loads;
    std::this_thread::sleep_for(30ms);
    return i;
  });
  on_threads(16, [&](std::size_t) { EXPECT_EQ(f(7), 7); });
  EXPECT_EQ(loads, 1);
  const FunctionInfo info = f.cache_info();
  EXPECT_EQ(info.loads, 1u);
  EXPECT_EQ(info.hits + info.misses, 16u);
}

TEST_P(Wrappers, PassExceptionsOnAndStoreNothing) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [this](int) -> int {
    if (++loads < 3) throw std::domain_error("down");
    return 5;
  });
  EXPECT_THROW(f(0), std::domain_error);
  EXPECT_FALSE(f.peek(0));
  EXPECT_THROW(f(0), std::domain_error);
  EXPECT_EQ(f(0), 5);
  EXPECT_EQ(f.cache_info().load_failures, 2u);
}

TEST_P(Wrappers, KeepOnlyWhatTheConditionKeeps) {
  const auto f = cache
                     .cached({.ttl = 60s, .prefix = "f"},
                             [this](int n) { return ++loads, std::string(static_cast<std::size_t>(n), 'x'); })
                     .condition([](const std::string& text) { return !text.empty(); });
  f(0), f(0);
  EXPECT_EQ(loads, 2);
  f(3), f(3);
  EXPECT_EQ(loads, 3);
  EXPECT_FALSE(f.peek(0));
}

TEST_P(Wrappers, AnAnswerThatIsNotKeptRemovesTheOneItReplaces) {
  const auto f = numbered({.ttl = 60s, .prefix = "f"}).condition([](int n) { return n != 2; });
  f(0);
  EXPECT_EQ(f.refresh(0), 2);
  EXPECT_FALSE(f.peek(0));
  EXPECT_EQ(f(0), 3);
}

TEST_P(Wrappers, RememberAnEmptyOptionalForNegativeTtlOnly) {
  const auto find = [this](int i) { return ++loads, i == 1 ? std::optional<std::string>("Ada") : std::nullopt; };
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .negative_ttl = 5s}, find);
  EXPECT_FALSE(f(2));
  EXPECT_FALSE(f(2));
  EXPECT_EQ(loads, 1);
  EXPECT_LE(cache.get_ttl(f.key_for(2)), 5s);
  EXPECT_EQ(f(1), "Ada");
  EXPECT_EQ(f(1), "Ada");
  EXPECT_GT(cache.get_ttl(f.key_for(1)), 50s);
  const auto forgetful = cache.cached({.ttl = 60s, .prefix = "forgetful"}, find);
  loads = 0;
  forgetful(2), forgetful(2);
  EXPECT_EQ(loads, 2);
}

TEST_P(Wrappers, PutPeekInvalidateAndRefresh) {
  const auto f = numbered({.ttl = 60s, .prefix = "f"});
  EXPECT_FALSE(f.peek(0));
  EXPECT_FALSE(f.invalidate(0));
  EXPECT_TRUE(f.put(0, 100));
  EXPECT_EQ(f.peek(0), 100);
  EXPECT_EQ(f(0), 100);
  EXPECT_EQ(loads, 0);
  EXPECT_EQ(f.refresh(0), 1);
  EXPECT_EQ(f(0), 1);
  EXPECT_TRUE(f.invalidate(0));
  EXPECT_FALSE(f.peek(0));
  EXPECT_EQ(f(0), 2);
}

TEST_P(Wrappers, AFailedRefreshLeavesTheValue) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [this](int) {
    if (++loads == 2) throw std::domain_error("down");
    return loads.load();
  });
  EXPECT_EQ(f(0), 1);
  EXPECT_THROW(f.refresh(0), std::domain_error);
  EXPECT_EQ(f(0), 1);
}

TEST_P(Wrappers, BuildKeysAsTold) {
  const auto f =
      cache.cached({.ttl = 60s, .prefix = "candles"}, [this](const std::string& s, int) { return ++loads, s; })
          .key_builder([](const std::string& s, int) { return s + ":1h"; });
  f("BTC", 3), f("BTC", 500);
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(cache.get("candles:BTC:1h"), "BTC");
}

TEST_P(Wrappers, AskForManyItemByItem) {
  const auto f = numbered({.ttl = 60s, .prefix = "f"});
  f.put(3, 300);
  const auto found = f.many({1, 3, 1});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0], 1);
  EXPECT_EQ(found[1], 300);
  EXPECT_EQ(found[2], 1);
}

TEST_P(Wrappers, LoadWhatIsMissingOfManyByOneCall) {
  std::vector<Ints> calls;
  const auto f =
      cache.cached({.ttl = 60s, .prefix = "f"}, [](int i) { return i * 10; }).bulk_loader([&](const Ints& wanted) {
        calls.push_back(wanted);
        std::map<int, int> answers;
        for (const int i : wanted) {
          if (i > 0) answers[i] = i * 10;
        }
        return answers;
      });
  f.put(3, 300);
  const auto found = f.many(Ints{1, 3, 2, 1, 0});
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found[0], 10);
  EXPECT_EQ(found[1], 300);
  EXPECT_EQ(found[2], 20);
  EXPECT_EQ(found[3], 10);
  EXPECT_TRUE(found[4].missing());
  EXPECT_EQ(calls, (std::vector<Ints>{{1, 2, 0}}));
  f.many(Ints{1, 2, 3});
  EXPECT_EQ(calls.size(), 1u) << "all there";
  EXPECT_EQ(f(2), 20);
  EXPECT_EQ(cache.get<int>("f:2"), 20);
}

TEST_P(Wrappers, ShareWithManualCalls) {
  const auto f = numbered({.ttl = 60s, .prefix = "f"});
  f(0);
  EXPECT_EQ(cache.get<int>("f:0"), 1);
  EXPECT_TRUE(cache.del("0", {.prefix = "f"}));
  EXPECT_EQ(f(0), 2);
  EXPECT_EQ(cache.delete_pattern("f:*"), 1u);
  EXPECT_EQ(f(0), 3);
}

TEST_P(Wrappers, ADecoratorIsTheSame) {
  const auto f = cache.cached(60s, "math")([this](int x) { return ++loads, 2 * x; });
  EXPECT_EQ(f(4), 8);
  EXPECT_EQ(f(4), 8);
  EXPECT_EQ(loads, 1);
}

}  // namespace
}  // namespace dsta::cache
