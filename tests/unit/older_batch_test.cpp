// A batch that an invalidation has crossed: that its source lacked a key is as much out of date as a value would be.
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <string>
#include <vector>

#include "name_in.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

enum class Change { tag, expired_tag, clear, flush, key, pattern };

struct OlderBatch : ::testing::TestWithParam<Change> {
  using Keys = std::vector<std::string>;
};
std::string change_name(const ::testing::TestParamInfo<Change>& tested) {
  constexpr const char* kNames[] = {"Tag", "ExpiredTag", "Clear", "Flush", "Key", "Pattern"};
  return testing_support::name_in(kNames, tested.param);
}
INSTANTIATE_TEST_SUITE_P(By, OlderBatch,
                         ::testing::Values(Change::tag, Change::expired_tag, Change::clear, Change::flush, Change::key,
                                           Change::pattern),
                         change_name);

TEST_P(OlderBatch, RemovesNothingThatWasLoadedAfterAnInvalidation) {
  CacheManager cache;
  std::promise<void> asked, goes_on;
  const auto f = cache
                     .cached({.ttl = 60s, .prefix = "f", .tags = {"t"}},
                             std::function<int(const std::string&)>([](const std::string&) { return 2; }))
                     .bulk_loader([&](const Keys&) {
                       std::map<std::string, int> nothing;
                       asked.set_value();
                       goes_on.get_future().wait();
                       return nothing;
                     });
  auto older = std::async(std::launch::async, [&] { (void)f.many(Keys{"k"}); });
  asked.get_future().wait();
  switch (GetParam()) {
    case Change::tag:
      cache.invalidate_tag("t");
      break;
    case Change::expired_tag:
      cache.invalidate_tag("t", TagMode::expire);
      f.invalidate("k");  // else the call below may join
      break;
    case Change::clear:
      f.cache_clear();
      break;
    case Change::flush:
      cache.flush_all();
      break;
    case Change::key:
      f.invalidate("k");
      break;
    case Change::pattern:
      cache.delete_pattern("f:*");
      break;
  }
  EXPECT_EQ(f("k"), 2);
  goes_on.set_value();
  older.get();
  EXPECT_EQ(f.peek("k"), 2);
}

}  // namespace
}  // namespace dsta::cache
