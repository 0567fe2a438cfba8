// Loads beside the store, of a manager that is gone or without a cache for a while: counted and guarded as any other.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using Function = std::function<int(int)>;

enum class Without { manager, store };

struct UncachedLoad : ::testing::TestWithParam<Without> {
  auto wrap(const std::string& prefix, Function& body, bool bulk = false) {
    auto f = manager->cached({.prefix = prefix}, Function([&body](int n) { return body(n); }));
    if (!bulk) return f;
    return std::move(f).bulk_loader([&body](const std::vector<int>& items) {
      std::vector<std::optional<int>> answers;
      for (const int item : items) answers.push_back(body(item));
      return answers;
    });
  }
  /// From now on nothing is stored.
  void begin() {
    if (GetParam() == Without::store) {
      fault.emplace(*manager);
      fault->on();
    } else {
      manager.reset();
    }
  }

  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::unique_ptr<CacheManager> manager = std::make_unique<CacheManager>(ManagerOptions{.clock = clock});
  std::optional<testing::ServerFault> fault;
};
INSTANTIATE_TEST_SUITE_P(On, UncachedLoad, ::testing::Values(Without::manager, Without::store));

TEST_P(UncachedLoad, IsCountedWithItsTimeAndItsFailures) {
  Function body = [&](int n) {
    clock->advance(2s);
    return n < 0 ? throw std::runtime_error("down") : n;
  };
  const auto f = wrap("f", body), bulk = wrap("bulk", body, true);
  begin();
  EXPECT_EQ(f(1), 1);
  EXPECT_THROW(f(-1), std::runtime_error);
  EXPECT_EQ(f.refresh(1), 1);
  FunctionInfo info = f.cache_info();
  EXPECT_EQ(info.loads, 3u);
  EXPECT_EQ(info.load_failures, 1u);
  EXPECT_DOUBLE_EQ(info.load_seconds, 6);
  EXPECT_EQ(bulk.many({1, 2})[1], 2);
  EXPECT_FALSE(bulk.many({1, -2})[0]);
  info = bulk.cache_info();
  EXPECT_EQ(info.loads, 2u);
  EXPECT_EQ(info.load_failures, 1u);
  EXPECT_DOUBLE_EQ(info.load_seconds, 8);
}

TEST_P(UncachedLoad, ThatAsksForItsOwnKeyIsToldSo) {
  Function body, body_a, body_b, body_bulk;
  const auto f = wrap("self", body), a = wrap("a", body_a), b = wrap("b", body_b);
  const auto bulk = wrap("bulk", body_bulk, true);
  // Ends by itself where nobody notices.
  int calls = 0;
  const auto ends = [&](int n) { return ++calls > 20 ? throw std::logic_error("without end") : n; };
  body = [&](int n) { return f(ends(n)); };
  body_a = [&](int n) { return b(ends(n)); };
  body_b = [&](int n) { return a(ends(n)); };
  body_bulk = [&](int n) { return n == 2 ? bulk.many({ends(n), 3})[0].value() : n; };
  begin();
  EXPECT_THROW(f(1), RecursiveLoadError);
  EXPECT_THROW(f.refresh(1), RecursiveLoadError);
  EXPECT_THROW((void)*f.shared(1), RecursiveLoadError);
  EXPECT_THROW(a(1), RecursiveLoadError);
  EXPECT_THROW((void)bulk.many({2})[0].value(), RecursiveLoadError);
  EXPECT_LE(calls, 6);
  body = [&](int n) { return n == 0 ? 0 : f(n - 1) + 1; };
  EXPECT_EQ(f(10), 10) << "other keys are no circle";
}

}  // namespace
}  // namespace dsta::cache
