// Of several refreshes of one key, in one process or in many, the value of the one that began last stands, whoever
// asked for them.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "eventually.hpp"
#include "gated_source.hpp"
#include "has_invalidated.hpp"
#include "l2/values/keyspace.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Earlier { behind, asked, refused };
enum class Later { behind, asked };

struct RefreshOrder : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Earlier, Later>> {
  using Function = std::function<int(int)>;
};
std::string order_name(const ::testing::TestParamInfo<RefreshOrder::ParamType>& tested) {
  constexpr const char* kEarlier[] = {"Behind", "Asked", "Refused"};
  constexpr const char* kLater[] = {"ThenBehind", "ThenAsked"};
  const auto [l1, earlier, later] = tested.param;
  return levels_name(l1) + kEarlier[static_cast<int>(earlier)] + kLater[static_cast<int>(later)];
}
INSTANTIATE_TEST_SUITE_P(Over, RefreshOrder,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(Earlier::behind, Earlier::asked, Earlier::refused),
                                            ::testing::Values(Later::behind, Later::asked)),
                         order_name);

TEST_P(RefreshOrder, TheOneThatBeganLastStands) {
  const bool l1 = std::get<bool>(GetParam());
  const auto earlier = std::get<Earlier>(GetParam());
  const auto later = std::get<Later>(GetParam());
  constexpr int kRefused = -7;
  GatedSource source;
  std::atomic<int> ended{0};
  CacheManager here(over_redis(server->url(), l1, 5s)), there(over_redis(server->url(), l1, 5s));
  ASSERT_TRUE(!l1 || (l1_is_up(here) && l1_is_up(there)));
  const EntryOptions options{.ttl = 150ms, .prefix = "f", .stale_for = 60s, .refresh_backoff = 0s};
  const auto mine = here.cached(options, Function([&](int) { return source.read(); })).condition([&](int loaded) {
    return ++ended, loaded != kRefused;
  });
  const auto theirs = there.cached(options, Function([&](int) { return source.value.load(); }));

  ASSERT_EQ(mine(1), 1);
  if (earlier == Earlier::refused) source.value = kRefused;
  source.stop_next();
  std::future<int> first;
  if (earlier == Earlier::behind) {
    ASSERT_TRUE(eventually([&] { return mine(1), source.reads == 2; })) << "it is past its ttl";
  } else {
    first = std::async(std::launch::async, [&] { return mine.refresh(1); });
  }
  ASSERT_TRUE(source.has_stopped_one());
  source.value = 2;
  // As when nobody has renewed it for so long: two may refresh behind at once.
  server->command({"EVAL", "return redis.call('DEL', unpack(redis.call('KEYS', ARGV[1])))", "0", "dsta:\x01lease:*"});
  if (later == Later::asked) {
    ASSERT_EQ(theirs.refresh(1), 2);
  }
  ASSERT_TRUE(eventually([&] { return theirs(1) == 2; }));
  ASSERT_TRUE(!l1 || has_invalidated(there, here));

  const auto scripts = calls_of(*server, "evalsha");
  source.go_on();
  if (first.valid()) first.get();
  EXPECT_TRUE(eventually([&] { return ended == 2 && calls_of(*server, "evalsha") > scripts; })) << "it would store";
  ASSERT_TRUE(!l1 || has_invalidated(here, there));
  EXPECT_EQ(theirs.peek(1), 2);
  EXPECT_EQ(mine.peek(1), 2);
}

struct RefusedRefresh : ProxiedServer, ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Over, RefusedRefresh, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

// A refresh has returned a value that is not stored, since a tag that only the value names was invalidated meanwhile.
// An older load that still runs, in whatever process, is none for those who call afterwards.
TEST_P(RefusedRefresh, LeavesNoOlderLoadToWaitFor) {
  const bool l1 = GetParam();
  CacheManager here(over_redis(server->url(), l1, 5s)), there(over_redis(server->url(), l1, 5s));
  ASSERT_TRUE(!l1 || (l1_is_up(here) && l1_is_up(there)));
  const EntryOptions options{.ttl = 1h, .prefix = "f"};
  const auto tags = [](int) { return std::vector<std::string>{"late"}; };
  GatedSource source;
  std::atomic<bool> invalidates{true};
  const std::function<int(int)> load_here = [&](int) { return source.read(); };
  const std::function<int(int)> load_there = [&](int) {
    const int seen = source.read();
    if (invalidates.exchange(false)) here.invalidate_tag("late");
    return seen;
  };
  const auto mine = here.cached(options, load_here).adaptive_tags(tags);
  const auto theirs = there.cached(options, load_there).adaptive_tags(tags);

  source.stop_next();
  auto older = std::async(std::launch::async, [&] { return mine(1); });
  ASSERT_TRUE(source.has_stopped_one());
  source.value = 2;
  EXPECT_EQ(theirs.refresh(1), 2);
  auto later = std::async(std::launch::async, [&] { return theirs(1); });
  EXPECT_TRUE(eventually([&] { return later.wait_for(0s) == std::future_status::ready; }))
      << "it waits for the older load";
  source.go_on();
  EXPECT_EQ(later.get(), 2);
  older.get();
  EXPECT_EQ(mine(1), 2);
  EXPECT_EQ(theirs(1), 2);
}

using OvertakenRefresh = ProxiedServer;

// The report of what the other process stored may come late: callers of the refresh have a value that is newer than
// what this process has in L1.
TEST_F(OvertakenRefresh, LeavesNothingOlderInL1) {
  CacheManager here(over_redis(server->url(), true, 5s)), there(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(l1_is_up(here));
  const EntryOptions options{.ttl = 1h, .prefix = "f"};
  int version = 1;
  const auto theirs = there.cached(options, std::function<int(int)>([&](int) { return version; }));
  const auto mine = here.cached(options, std::function<int(int)>([&](int) {
                                  if (version == 2) theirs.put(1, 3);
                                  return version;
                                }));
  ASSERT_TRUE(eventually([&] { return mine(1) == 1 && here.lookup<int>("f:1").source == Source::l1; }));
  std::atomic<bool> inside{false}, open{false};
  const std::function<void()> late = [&] {
    inside = true;
    while (!open) std::this_thread::sleep_for(1ms);
    inside = false;
  };
  here.core()->before_report = &late;
  version = 2;
  EXPECT_EQ(mine.refresh(1), 2);
  EXPECT_EQ(mine.peek(1), 3);
  here.core()->before_report = nullptr;
  open = true;
  EXPECT_TRUE(eventually([&] { return !inside; }));
}

}  // namespace
}  // namespace dsta::cache
