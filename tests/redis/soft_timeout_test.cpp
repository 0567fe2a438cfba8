// A caller that finds a stale value waits for its refresh, and for no load that was invalidated before the call.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <tuple>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Found { at_l2, at_l1 };

struct SoftTimeout : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Found>> {
  using Function = std::function<int(int)>;
};
INSTANTIATE_TEST_SUITE_P(Over, SoftTimeout,
                         ::testing::Values(std::tuple(false, Found::at_l2), std::tuple(true, Found::at_l2),
                                           std::tuple(true, Found::at_l1)),
                         [](const auto& tested) {
                           return levels_name(std::get<bool>(tested.param)) +
                                  (std::get<Found>(tested.param) == Found::at_l1 ? "KeptHere" : "");
                         });

TEST_P(SoftTimeout, WaitsForNoLoadThatWasInvalidatedBeforeTheCall) {
  const auto [l1, found] = GetParam();
  CacheManager here(over_redis(server->url(), l1, 5s)), there(over_redis(server->url(), false, 5s));
  const EntryOptions options{.ttl = 60s, .prefix = "f", .tags = {"prices"}, .stale_for = 60s, .soft_timeout = 20s};
  std::atomic<int> source{1}, loads{0};
  std::promise<void> goes_on;
  const auto mine = here.cached(options, Function([&, waits = goes_on.get_future().share()](int) {
                                  const int loaded = source;
                                  if (loads.fetch_add(1) == 0) waits.wait();
                                  return loaded;
                                }));
  const auto theirs = there.cached(options, Function([&](int) { return source.load(); }));

  auto revoked = std::async(std::launch::async, [&] { return mine(1); });
  ASSERT_TRUE(eventually([&] { return loads == 1; }));
  source = 2;
  theirs.invalidate(1);
  EXPECT_EQ(theirs(1), 2);
  ASSERT_TRUE(!l1 || has_invalidated(there, here));
  if (found == Found::at_l1) {
    EXPECT_EQ(mine.peek(1), 2);
  }
  there.invalidate_tag("prices", TagMode::expire);
  ASSERT_TRUE(!l1 || has_invalidated(there, here));
  source = 3;

  auto asked = std::async(std::launch::async, [&] { return mine(1); });
  const bool refreshed = eventually([&] { return loads == 2; }, 2s);
  goes_on.set_value();
  EXPECT_TRUE(refreshed) << "a load that counts is begun";
  EXPECT_EQ(asked.get(), 3);
  revoked.get();
}

}  // namespace
}  // namespace dsta::cache
