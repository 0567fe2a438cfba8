// Wrapped functions whose values stand at the server as they are: their leases stand beside, and fence as others do.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "gated_source.hpp"
#include "has_invalidated.hpp"
#include "hook_clock.hpp"
#include "l2/values/keyspace.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"
#include "two_level/leases.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct RawFunction : ProxiedServer, ::testing::WithParamInterface<bool> {
  using Function = std::function<int(int)>;

  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    here = CacheManager(over_redis(server->url(), GetParam(), 5s));
    there = CacheManager(over_redis(proxy->url(), GetParam(), 5s));
    ASSERT_TRUE(!GetParam() || (l1_is_up(here) && l1_is_up(there)));
  }
  CacheManager here, there;
  const EntryOptions options{.ttl = 60s, .prefix = "f", .raw = true};
};
INSTANTIATE_TEST_SUITE_P(Over, RawFunction, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(RawFunction, AFlushAfterTheServerWasEmptiedFencesLoads) {
  GatedSource source;
  const auto f = here.cached(options, Function([&](int) { return source.read(); }));
  EXPECT_EQ(f(1), 1);
  server->command({"FLUSHDB"});
  source.stop_next();
  auto load = std::async(std::launch::async, [&] { return f(2); });
  ASSERT_TRUE(source.has_stopped_one());
  source.value = 2;
  there.flush_all();
  source.go_on();
  EXPECT_EQ(load.get(), 1);
  EXPECT_EQ(f(2), 2) << "what was flushed while it was loaded is not stored";
}

TEST_P(RawFunction, DelManyReadInPartsFencesLoads) {
  constexpr int kLoads = 12;
  std::atomic<int> loading{0};
  std::promise<void> go_on;
  const auto f = here.cached(options, Function([&, passed = go_on.get_future().share()](int) {
                               ++loading;
                               passed.wait();
                               return 1;
                             }));
  std::vector<std::future<int>> loads;
  std::vector<std::string> keys;
  for (int i = 0; i < kLoads; ++i) {
    loads.push_back(std::async(std::launch::async, [&f, i] { return f(i); }));
    keys.push_back(std::to_string(i));
  }
  EXPECT_TRUE(eventually([&] { return loading == kLoads; }));

  const auto unlinked = calls_of(*server, "unlink");
  proxy->set(Fault::delay(400ms, Fault::Way::requests).on("UNLINK").after(kLoads));
  auto removal = std::async(std::launch::async, [&] { return there.del_many(keys, options); });
  EXPECT_TRUE(eventually([&] { return calls_of(*server, "unlink") == unlinked + kLoads; })) << "all but one are done";
  go_on.set_value();
  for (auto& load : loads) EXPECT_EQ(load.get(), 1);
  removal.get();
  proxy->clear();
  ASSERT_TRUE(!GetParam() || has_invalidated(there, here));
  for (int i = 0; i < kLoads; ++i) {
    EXPECT_EQ(stored("dsta:f:" + std::to_string(i)), "(nil)") << i;
    EXPECT_FALSE(f.peek(i)) << i;
  }
}

TEST_P(RawFunction, RefreshIsStoredBesideAnOlderLoadOfOtherBytes) {
  enum Change { increment, by_another_program, set };
  for (const int change : {increment, by_another_program, set}) {
    SCOPED_TRACE(change);
    GatedSource source;
    const EntryOptions each{.ttl = 60s, .prefix = "f", .name = std::to_string(change), .raw = true};
    const auto slow = here.cached(each, Function([&](int) { return source.read(); }));
    const auto other = there.cached(each, Function([](int) { return 200; }));
    const std::string key = slow.key_for(1);
    source.stop_next();
    auto older = std::async(std::launch::async, [&] { return slow(1); });
    ASSERT_TRUE(source.has_stopped_one());
    if (change == increment) there.increment(key, 5);
    if (change == by_another_program) server->command({"SET", "dsta:" + key, "55"});
    if (change == set) there.set(key, 5, {.ttl = 60s, .raw = true});
    EXPECT_EQ(other.refresh(1), 200);
    EXPECT_EQ(stored("dsta:" + key), "200");
    source.go_on();
    older.get();
    EXPECT_EQ(stored("dsta:" + key), "200");
    EXPECT_EQ(other.peek(1), 200);
  }
}

TEST_P(RawFunction, InvalidateSaysAndCountsWhatItRemoves) {
  const auto f = here.cached(options, std::function<std::string(int)>([](int) { return "v"; }));
  EXPECT_FALSE(f.invalidate(1));
  ASSERT_EQ(f(1), "v");
  EXPECT_TRUE(f.invalidate(1));
  EXPECT_EQ(stored("dsta:f:1"), "(nil)");
  EXPECT_EQ(here.get_stats_by_prefix().at("f").deletes, 1u);
}

TEST_P(RawFunction, TagsThatItsLoaderNamesAreRefused) {
  const auto load = [](LoadContext<std::string>& context) -> std::string {
    context.add_tag("t");
    return "v";
  };
  EXPECT_THROW(here.get_or_load("k", load, {.ttl = 60s, .raw = true}), ConfigError);
  EXPECT_EQ(stored("dsta:k"), "(nil)");
  EXPECT_EQ(here.get_or_load("k", load, {.ttl = 60s}), "v");
  const auto f = here.cached(options, std::function<std::string(int, LoadContext<std::string>&)>(
                                          [&](int, LoadContext<std::string>& context) { return load(context); }));
  EXPECT_THROW(f(1), ConfigError);
}

// What a stopped server has not read it executes when it goes on, however long that is. It stops while each of many
// calls is at another moment, so that for some it is the taking of the lease that it has not read.
TEST_P(RawFunction, AServerThatWasStoppedKeepsNoLeaseOfAnEndedLoad) {
  constexpr int kMoments = 24;
  ManagerOptions of_cache = over_redis(server->url(), GetParam(), 500ms);
  of_cache.clock = std::make_shared<HookClock>();
  CacheManager cache(std::move(of_cache));
  const auto f = cache.cached(options, Function([](int i) { return i; }));
  EXPECT_EQ(f(-1), -1);
  std::atomic<int> arrived{0};
  std::atomic<bool> stopped{false};
  {
    std::vector<std::jthread> threads;
    for (int moment = 1; moment <= kMoments; ++moment) {
      threads.emplace_back([&, moment] {
        bool hooked = false;
        HookClock::before_hook = moment;
        HookClock::hook = [&] {
          hooked = true;
          ++arrived;
          eventually([&] { return stopped.load(); });
        };
        EXPECT_EQ(f(moment), moment);
        HookClock::hook = nullptr;
        if (!hooked) ++arrived;
      });
    }
    eventually([&] { return arrived == kMoments; }, 2s);
    server->pause();
    stopped = true;
  }
  std::this_thread::sleep_for(detail::Leases::kLife + 1500ms);
  server->resume();
  std::this_thread::sleep_for(300ms);  // by then it has executed what it had not read
  const auto no_lease_is_left = [&] {
    for (int i = 1; i <= kMoments; ++i) {
      const std::string lease = detail::KeySpace("dsta").raw_lease("f:" + std::to_string(i));
      if (server->command({"EXISTS", lease}) != "0") return false;
    }
    return true;
  };
  EXPECT_TRUE(eventually(no_lease_is_left, 1500ms)) << "before they run out by themselves";
}

// A key that is refreshed as often as its ttl ends is there.
TEST_P(RawFunction, ARefreshThatOutlivesTheOldValueIsStored) {
  EntryOptions brief = options;
  brief.ttl = 50ms;
  const auto mine = here.cached(brief, Function([](int) { return 1; }));
  for (const bool was_set : {false, true}) {
    ASSERT_EQ(mine.refresh(1), 1);
    GatedSource gate;
    gate.value = 2;
    const auto slow = there.cached(options, Function([&](int) { return gate.read(); }));
    gate.stop_next();
    auto refresh = std::async(std::launch::async, [&] { return slow.refresh(1); });
    ASSERT_TRUE(gate.has_stopped_one());
    ASSERT_TRUE(eventually([] { return stored("dsta:f:1") == "(nil)"; })) << "the old value has expired";
    if (was_set) server->command({"SET", "dsta:f:1", "7"});
    gate.go_on();
    EXPECT_EQ(refresh.get(), 2);
    EXPECT_EQ(stored("dsta:f:1"), was_set ? "7" : "2") << "what another program wrote stays";
    server->command({"DEL", "dsta:f:1"});
  }
}

TEST_P(RawFunction, ARefreshWhoseOldValueIsRemovedIsNotStored) {
  GatedSource gate;
  const auto mine = here.cached(options, Function([&](int) { return gate.read(); }));
  ASSERT_EQ(mine.refresh(1), 1);
  gate.stop_next();
  auto refresh = std::async(std::launch::async, [&] { return mine.refresh(1); });
  ASSERT_TRUE(gate.has_stopped_one());
  server->command({"DEL", "dsta:f:1"});
  gate.go_on();
  refresh.get();
  EXPECT_EQ(stored("dsta:f:1"), "(nil)") << "another program removed it long before its end";
}

}  // namespace
}  // namespace dsta::cache
