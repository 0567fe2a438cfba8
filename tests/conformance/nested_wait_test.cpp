// Loads inside loads, over threads and processes: none waits for ever for a load that waits for it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct NestedWait : BackendTest {
  void SetUp() override {
    BackendTest::SetUp();
    if (!IsSkipped()) other = manager();
  }

  /// A load inside a load waits this long for another process, and some time more.
  static constexpr std::chrono::milliseconds kPatience = 3s + 2s;
  using Function = std::function<int(int)>;

  template <class Call>
  static std::future<int> on_thread(Call call) {
    return std::async(std::launch::async, call);
  }
  static void expect_ends(std::future<int>& call, int value, std::chrono::milliseconds limit = kPatience) {
    const bool ended = call.wait_for(limit) == std::future_status::ready;
    EXPECT_TRUE(ended);
    // A call that hangs would keep the process from ending.
    if (!ended) std::_Exit(1);
    EXPECT_EQ(call.get(), value);
  }
  auto wrapped(CacheManager& by, Function body, bool raw = false) {
    return by.cached({.ttl = 60s, .prefix = "f", .raw = raw}, std::move(body));
  }
  CacheManager other;
};
INSTANTIATE_TEST_SUITE_P(On, NestedWait, all_backends(), backend_name);

TEST_P(NestedWait, ForALoadThatWaitsForTheCallersLeaseThereIsNone) {
  for (const bool raw : {false, true}) {
    for (const bool batch : {false, true}) {
      SCOPED_TRACE(std::string(raw ? "raw" : "plain") + (batch ? ", in a batch" : ""));
      cache.flush_all();
      std::promise<void> outer_runs;
      const auto f = wrapped(
                         cache, [](int i) { return i; }, raw)
                         .bulk_loader([](const std::vector<int>& items) { return items; });
      auto outer = on_thread([&] {
        return cache.get_or_load(f.key_for(1),
                                 [&] {
                                   outer_runs.set_value();
                                   std::this_thread::sleep_for(50ms);  // until the other caller waits for this load
                                   return f(1) + 10;
                                 },
                                 {.ttl = 60s, .raw = raw});
      });
      outer_runs.get_future().wait();
      auto caller = on_thread([&] { return batch ? *f.many({1, 2})[0] : f(1); });
      expect_ends(outer, 11, 2000ms);
      expect_ends(caller, embedded() ? 1 : 11, 2000ms);
    }
  }
}

TEST_P(NestedWait, ForALoadThatWaitsForAnotherProcessHasALimit) {
  if (embedded()) GTEST_SKIP() << "one process: a circle of loads is found at once";
  // Here 2 needs 3, there 4 needs 2: no circle of keys, but each process loads two of them by one call.
  std::atomic<int> loading = 0;
  const auto meet = [&loading] {
    for (++loading; loading < 2;) std::this_thread::sleep_for(1ms);
  };
  const auto plain = [](int i) { return i; };
  std::function<int(int)> inner_here, inner_there;
  const auto here = wrapped(cache, plain).bulk_loader([&](const std::vector<int>& items) {
    if (items.size() > 1) meet(), std::this_thread::sleep_for(50ms), inner_here(3);
    return items;
  });
  const auto there = wrapped(other, plain).bulk_loader([&](const std::vector<int>& items) {
    if (items.size() > 1) meet(), std::this_thread::sleep_for(50ms), inner_there(2);
    return items;
  });
  inner_here = [&](int i) { return here(i); };
  inner_there = [&](int i) { return there(i); };
  auto first = on_thread([&] { return *here.many({1, 2})[1]; });
  auto second = on_thread([&] { return *there.many({3, 4})[0]; });
  while (loading < 2) std::this_thread::sleep_for(1ms);
  auto third = on_thread([&] { return here(3); });
  auto fourth = on_thread([&] { return there(2); });
  expect_ends(first, 2);
  expect_ends(second, 3);
  expect_ends(third, 3);
  expect_ends(fourth, 2);
}

TEST_P(NestedWait, InACircleOfThisProcessIsRefused) {
  for (const bool raw : {false, true}) {
    SCOPED_TRACE(raw ? "raw" : "plain");
    Function call_a, call_b;
    const auto wrap = [&](const std::string& name, Function& next) {
      return cache.cached({.ttl = 60s, .prefix = name, .raw = raw}, [&next](int i) {
        std::this_thread::sleep_for(1200ms);  // longer than until a lease is renewed
        return next(i);
      });
    };
    const auto a = wrap(raw ? "ra" : "a", call_b), b = wrap(raw ? "rb" : "b", call_a);
    call_a = [&](int i) { return a(i); };
    call_b = [&](int i) { return b(i); };
    const auto refused = [](const Function& call) {
      try {
        return call(1), 0;
      } catch (const RecursiveLoadError&) {
        return 1;
      }
    };
    auto first = on_thread([&] { return refused(call_a); });
    auto second = on_thread([&] { return refused(call_b); });
    expect_ends(first, 1, raw ? kPatience : 2500ms);
    expect_ends(second, 1, raw ? kPatience : 2500ms);
  }
}

TEST_P(NestedWait, OfTwoManagersThatCallEachOtherEndsAsWell) {
  if (embedded()) GTEST_SKIP() << "they would share nothing";
  std::promise<void> outer_runs;
  std::atomic<bool> first_time = true;
  const auto inner = wrapped(other, [](int i) { return i; });
  const auto outer = wrapped(cache, [&](int i) {
    if (first_time.exchange(false)) outer_runs.set_value();
    std::this_thread::sleep_for(50ms);
    return inner(i) + 10;
  });
  auto calls = on_thread([&] { return outer(1); });
  outer_runs.get_future().wait();
  auto waits = on_thread([&] { return inner(1); });
  expect_ends(calls, 11, 2000ms);
  expect_ends(waits, 11, 2000ms);
}

}  // namespace
}  // namespace dsta::cache
