// A refresh whose answer is not to be kept leaves nothing to older loads and takes nothing from later ones.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <semaphore>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct RefusedRefresh : BackendTest {
  /// Loads wait at a gate of their own; negative values are not kept.
  int load(int) {
    const int n = loads++;
    begun[n].release();
    may_end[n].acquire();
    return answers[n];
  }
  std::atomic<int> loads{0};
  std::binary_semaphore begun[3]{std::binary_semaphore{0}, std::binary_semaphore{0}, std::binary_semaphore{0}};
  std::binary_semaphore may_end[3]{std::binary_semaphore{0}, std::binary_semaphore{0}, std::binary_semaphore{0}};
  int answers[3] = {};
};
INSTANTIATE_TEST_SUITE_P(On, RefusedRefresh, all_backends(), backend_name);

TEST_P(RefusedRefresh, KeepsAnOlderLoadFromStoring) {
  auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [this](int i) { return load(i); }).condition([](int value) {
    return value >= 0;
  });
  answers[0] = 1;
  answers[1] = -1;
  auto old = std::async(std::launch::async, [&] { return f(7); });
  begun[0].acquire();
  may_end[1].release();
  EXPECT_EQ(f.refresh(7), -1);
  may_end[0].release();
  EXPECT_EQ(old.get(), 1);
  EXPECT_FALSE(f.peek(7)) << "the refresh began later, and said that nothing is to be kept";
}

TEST_P(RefusedRefresh, TakesNothingFromALaterOne) {
  auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [this](int i) { return load(i); }).condition([](int value) {
    return value >= 0;
  });
  ASSERT_TRUE(f.put(7, 0));
  answers[0] = -1;
  answers[1] = 5;
  auto refused = std::async(std::launch::async, [&] { return f.refresh(7); });
  begun[0].acquire();
  auto later = std::async(std::launch::async, [&] { return f.refresh(7); });
  begun[1].acquire();
  may_end[0].release();
  EXPECT_EQ(refused.get(), -1);
  may_end[1].release();
  EXPECT_EQ(later.get(), 5);
  EXPECT_EQ(f.peek(7), 5);
}

}  // namespace
}  // namespace dsta::cache
