// What concerns many keys takes a few round trips, whatever their number: else a batch would not be done in the time of
// one operation.
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

/// A server so slow that an operation is not done in its time by a round trip for each of its keys.
struct RoundTrips : ProxiedServer, ::testing::WithParamInterface<bool> {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    cache = CacheManager(over_redis(proxy->url(), GetParam(), 1500ms));
    ASSERT_TRUE(!GetParam() || l1_is_up(cache));
    ASSERT_TRUE(cache.set("connects", 1));
    proxy->set(Fault::delay(50ms));
  }
  CacheManager cache;
  std::vector<int> keys = [] {
    std::vector<int> numbers(40);
    std::iota(numbers.begin(), numbers.end(), 1);
    return numbers;
  }();
};
INSTANTIATE_TEST_SUITE_P(Over, RoundTrips, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(RoundTrips, AreFewForABatchWhoseValuesNameTheirTags) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, std::function<int(int)>([](int n) { return n; }))
                     .adaptive_tags([](int n) { return std::vector<std::string>{"tag:" + std::to_string(n)}; })
                     .bulk_loader([](const std::vector<int>& wanted) { return wanted; });
  for (const auto& outcome : f.many(keys)) EXPECT_TRUE(outcome.has_value());
  proxy->clear();
  for (const int key : keys) EXPECT_EQ(f.peek(key), key);
  cache.invalidate_tag("tag:7");
  EXPECT_FALSE(f.peek(7));
  EXPECT_EQ(f.peek(8), 8);
}

TEST_P(RoundTrips, AreFewForABatchWhoseValuesOutliveTheirTerms) {
  const auto f =
      cache.cached({.ttl = 1s, .prefix = "f", .tags = {"tag:{0}"}}, std::function<int(int)>([](int n) { return n; }))
          .adaptive_ttl([](int) { return Duration(3h); })
          .bulk_loader([](const std::vector<int>& wanted) { return wanted; });
  for (const auto& outcome : f.many(keys)) EXPECT_TRUE(outcome.has_value());
  proxy->clear();
  for (const int key : keys) EXPECT_EQ(f.peek(key), key);
}

TEST_P(RoundTrips, AreFewForManyRawValues) {
  std::vector<std::pair<std::string, std::string>> items;
  for (const int key : keys) items.emplace_back("k" + std::to_string(key), "v" + std::to_string(key));
  for (const auto& result : cache.set_many(items, {.ttl = 60s, .raw = true})) EXPECT_TRUE(result);
  for (const auto& [key, value] : items) EXPECT_EQ(stored("dsta:" + key), value);
}

}  // namespace
}  // namespace dsta::cache
