// A stale value of L2 is refreshed by one process; the others leave that value alone, and no newer one.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct StaleRefresh : ProxiedServer, ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Over, StaleRefresh, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(StaleRefresh, OfTheNextValueIsNotPutOff) {
  const bool l1 = GetParam();
  CacheManager here(over_redis(proxy->url(), l1, 5s)), there(over_redis(server->url(), false, 5s));
  const EntryOptions options{.ttl = 60s, .prefix = "f", .tags = {"prices"}, .stale_for = 60s};
  std::atomic<int> source{1}, loads_there{0};
  std::promise<void> goes_on;
  const auto mine = here.cached(options, std::function<int(int)>([&](int) { return source.load(); }));
  const auto theirs = there.cached(options, std::function<int(int)>([&, waits = goes_on.get_future().share()](int) {
                                     if (++loads_there == 2) waits.wait();
                                     return source.load();
                                   }));
  const auto becomes_stale = [&] {
    there.invalidate_tag("prices", TagMode::expire);
    ASSERT_TRUE(!l1 || has_invalidated(there, here));
  };

  ASSERT_EQ(theirs(1), 1);
  ASSERT_EQ(mine(1), 1);
  becomes_stale();
  source = 2;
  ASSERT_EQ(theirs(1), 1);
  ASSERT_TRUE(eventually([&] { return loads_there == 2; })) << "the other process refreshes";

  const auto sets_before = calls_of(*server, "set");
  proxy->set(Fault::hold(Fault::Way::replies).on("SET"));
  ASSERT_EQ(mine(1), 1);
  ASSERT_TRUE(eventually([&] { return calls_of(*server, "set") > sets_before; })) << "this one is refused the lease";
  goes_on.set_value();
  ASSERT_TRUE(eventually([&] { return theirs.peek(1) == 2; }));
  proxy->clear();  // and learns of it when the new value stands

  ASSERT_TRUE(eventually([&] { return mine(1) == 2; }));
  becomes_stale();
  source = 3;
  EXPECT_TRUE(eventually([&] { return mine(1) == 3; }, 700ms));
}

}  // namespace
}  // namespace dsta::cache
