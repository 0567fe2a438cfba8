// Values that a process keeps for itself (Level::l1) and others invalidate by a tag: nothing old of them is served once
// it is known that the invalidation channel is down, or when it is back.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <utility>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct OwnValues : ProxiedServer, ::testing::WithParamInterface<OnDisconnect> {
  using Function = std::function<int(int)>;
  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    ManagerOptions options = over_redis(proxy->url(), true);
    options.l1.on_disconnect = GetParam();
    options.l1.max_stale_age = 200ms;
    options.l1.ping_period = 100ms;
    here = CacheManager(std::move(options));
    there = CacheManager(over_redis(server->url(), false, 5s));
    f = here.cached({.ttl = 600s, .prefix = "own", .tags = {"t"}, .level = Level::l1}, Function([this](int) {
                      const int loaded = source;
                      std::exchange(in_loader, [] {})();
                      return loaded;
                    }));
    ASSERT_TRUE(eventually([&] { return is_up(); }));
  }
  bool is_up() { return here.set("any", 1) && here.lookup<int>("any").source == Source::l1; }
  /// Under `serve` L1 is in use while the channel is down, so only what is invalidated shows that it is back.
  bool is_notified() { return is_up() && has_invalidated(there, here); }
  void lose_channel() {
    const auto before = here.get_stats().l1_suspensions;
    proxy->set(Fault::error_reply("NOPERM not now").on("SUBSCRIBE"));
    server->command({"CLIENT", "KILL", "TYPE", "pubsub"});
    ASSERT_TRUE(eventually([&] { return here.get_stats().l1_suspensions > before; }));
  }
  void change_elsewhere() {
    source = 2;
    there.invalidate_tag("t");
  }
  CacheManager here, there;
  std::atomic<int> source{1};
  std::function<void()> in_loader = [] {};
  cached<Function> f = CacheManager().cached({.prefix = "none"}, Function());
};
INSTANTIATE_TEST_SUITE_P(On, OwnValues,
                         ::testing::Values(OnDisconnect::flush, OnDisconnect::bypass, OnDisconnect::serve),
                         [](const auto& tested) {
                           return tested.param == OnDisconnect::flush    ? "Flush"
                                  : tested.param == OnDisconnect::bypass ? "Bypass"
                                                                         : "Serve";
                         });

TEST_P(OwnValues, ALoadDuringALossOfTheChannelIsNotKept) {
  std::future<int> other;
  in_loader = [&] {
    lose_channel();
    change_elsewhere();
    proxy->clear();
    ASSERT_TRUE(eventually([&] { return is_notified(); }));
    other = std::async(std::launch::async, [&] { return f(1); });
    EXPECT_EQ(other.wait_for(5s), std::future_status::ready) << "it waits for a load that does not count";
  };
  EXPECT_EQ(f(1), 1) << "the call began before the change";
  EXPECT_EQ(other.get(), 2) << "a caller that came after the change loads for itself";
  EXPECT_EQ(f(1), 2);
}

TEST_P(OwnValues, NothingOldIsServedWhileTheChannelIsDown) {
  ASSERT_EQ(f(1), 1);
  lose_channel();
  change_elsewhere();
  // At once, or when the time is over for which stale values may be served.
  EXPECT_TRUE(eventually([&] { return f(1) == 2 && f.peek(1) == 2; }, 2s)) << "what is loaded meanwhile is kept";
  proxy->clear();
  ASSERT_TRUE(eventually([&] { return is_notified(); }));
  source = 3;
  EXPECT_EQ(f(1), 3) << "until the channel is back";
}

}  // namespace
}  // namespace dsta::cache
