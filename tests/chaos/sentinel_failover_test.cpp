// A real group of servers and sentinels, whose master is killed. Longer by DSTA_CACHE_FAILOVERS, the number of kills;
// with DSTA_CACHE_FAILOVER_BY=hang it hangs in place of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include "eventually.hpp"
#include "failovers.hpp"
#include "over_redis.hpp"
#include "scale.hpp"
#include "sentinel_group.hpp"
#include "wire_client.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::FailoverReader;
using testing_support::failovers;
using testing_support::over_failovers;
using testing_support::RedisServer;
using testing_support::SentinelGroup;
using testing_support::SentinelGroupOptions;
using testing_support::WireClient;
using SteadyClock = std::chrono::steady_clock;

/// When the first of the sentinels announces another master.
class Announcement {
 public:
  explicit Announcement(SentinelGroup& group) {
    for (std::size_t i = 0; i < 3; ++i) {
      clients_.push_back(WireClient::tcp(group.sentinel(i).port(), 40s));
      clients_.back().call({"SUBSCRIBE", "+switch-master"});
    }
    for (WireClient& client : clients_) threads_.emplace_back([this, &client] { listen(client); });
  }
  ~Announcement() {
    for (std::thread& thread : threads_) thread.join();
  }
  SteadyClock::time_point await() {
    eventually([&] { return at_.load() != kNever; }, 40s);
    return at_;
  }

 private:
  static constexpr SteadyClock::time_point kNever{};
  void listen(WireClient& client) {
    try {
      client.read_reply();
      SteadyClock::time_point none = kNever;
      at_.compare_exchange_strong(none, SteadyClock::now());
    } catch (const std::exception&) {
      // None came.
    }
  }
  std::vector<WireClient> clients_;
  std::atomic<SteadyClock::time_point> at_{kNever};
  std::vector<std::thread> threads_;
};

struct SentinelFailover : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  }
};

TEST_F(SentinelFailover, ReadsGoOnASecondAfterTheAnnouncement) {
  SentinelGroup group;
  CacheManager cache(over_failovers(group.url(), true));
  ASSERT_TRUE(eventually([&] { return bool(cache.set("there", "value", {.ttl = 1h})); }));
  const Health before = check_health(cache);
  EXPECT_TRUE(before.healthy) << before.error;
  EXPECT_EQ(before.topology, "sentinel");
  EXPECT_EQ(before.server, group.address(group.master()));
  const char* const by = std::getenv("DSTA_CACHE_FAILOVER_BY");
  const bool hangs = by && std::string_view(by) == "hang";
  std::vector<std::int64_t> took;
  for (int n = 0; n < failovers(1); ++n) {
    const std::size_t former = group.master();
    ASSERT_EQ(group.server(former).command({"WAIT", "2", "5000"}), "2");
    FailoverReader of_l2(cache, Level::l2, {{"there", "value"}}), of_both(cache, Level::both, {{"there", "value"}});
    Announcement announcement(group);
    hangs ? group.server(former).pause() : group.server(former).kill();
    ASSERT_TRUE(group.wait_for_failover(former));
    const auto announced = announcement.await();
    ASSERT_TRUE(eventually([&] { return cache.get("there", {.level = Level::l2}) == "value"; }));
    std::this_thread::sleep_for(1s);  // for what might fail later
    const auto late = std::max(of_l2.last_failure(), of_both.last_failure()) - announced;
    took.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(late).count());
    EXPECT_LT(late, testing_support::kSanitized ? 3s : 1s);
    EXPECT_GT(of_l2.reads(), 0u);
    if (hangs) group.server(former).kill();
    group.restart_as_replica(former);
  }
  EXPECT_GE(cache.get_stats().master_changes, static_cast<std::uint64_t>(failovers(1)));
  EXPECT_EQ(cache.get_stats().server, group.address(group.master()));
  ASSERT_TRUE(eventually([&] { return cache.get("there") && cache.lookup<std::string>("there").source == Source::l1; }))
      << "and L1 is used again";
  // One that was asked for, whose former master is alive, and says for a while that it is one.
  const std::size_t former = group.master();
  ASSERT_TRUE(group.ask_for_failover());
  ASSERT_TRUE(group.wait_for_failover(former));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().server == group.address(group.master()); }));
  EXPECT_TRUE(eventually([&] { return bool(cache.set("there", "value", {.ttl = 1h})); }));
  std::sort(took.begin(), took.end());
  std::printf("last failed read after the announcement: median %lld ms, most %lld ms\n",
              static_cast<long long>(took[took.size() / 2]), static_cast<long long>(took.back()));
}

/// How many of the removed keys are there after the failover, of a process with this window.
std::size_t undone_by_failover(SentinelGroup& group, const std::string& space, const std::string& window,
                               std::size_t keys) {
  CacheManager cache(over_failovers(group.url() + "?space=" + space + "&failover_window=" + window, true));
  CacheManager other(over_failovers(group.url() + "?space=" + space, false));
  const EntryOptions tagged{.ttl = 1h, .tags = {"t"}};
  std::vector<std::string> names;
  for (std::size_t i = 0; i < keys; ++i) names.push_back("key" + std::to_string(i));
  EXPECT_TRUE(eventually([&] { return bool(cache.set("first", "v", {.ttl = 1h})); }));
  for (std::size_t at = 0; at < keys; at += 500) {
    std::vector<std::pair<std::string, std::string>> some;
    for (std::size_t i = at; i < std::min(keys, at + 500); ++i) some.emplace_back(names[i], "v");
    for (const SetResult each : cache.set_many<std::string>(some, {.ttl = 1h})) EXPECT_TRUE(each);
  }
  EXPECT_TRUE(cache.set("tagged", "v", tagged));
  EXPECT_TRUE(cache.set("p:matched", "v", {.ttl = 1h}));
  int loads = 0;
  auto function = cache.cached({.ttl = 1h, .prefix = "f"}, [&](int i) { return ++loads, i; });
  function(1);

  const std::size_t former = group.master();
  EXPECT_EQ(group.server(former).command({"WAIT", "2", "5000"}), "2");
  group.pause_replication();
  for (std::size_t i = 0; i < keys; i += 2) EXPECT_TRUE(cache.del(names[i]));
  std::vector<std::string> odd;
  for (std::size_t i = 1; i < keys; i += 2) odd.push_back(names[i]);
  EXPECT_EQ(cache.del_many(odd), odd.size());
  cache.invalidate_tag("t");
  EXPECT_EQ(cache.delete_pattern("p:*"), 1u);
  function.cache_clear();
  EXPECT_EQ(cache.get_stats().pending_invalidations, 0u) << "all of them are acknowledged";
  group.server(former).kill();
  EXPECT_TRUE(group.wait_for_failover(former));
  EXPECT_TRUE(eventually([&] {
    return cache.get_stats().server == group.address(group.master()) && cache.get_stats().pending_invalidations == 0;
  }));
  std::size_t there = 0;
  const EntryOptions at_server{.level = Level::l2};
  for (CacheManager* const each : {&cache, &other}) {
    EXPECT_TRUE(eventually([&] { return each->get("first", at_server) == "v"; }))
        << "what was not invalidated is there";
    for (const std::string& name : names) there += each->exists(name, at_server);
    there += each->exists("tagged", at_server) + each->exists("p:matched", at_server);
  }
  const int before = loads;
  function(1);
  there += loads == before ? 1 : 0;
  group.restart_as_replica(former);
  return there;
}

TEST_F(SentinelFailover, UndoesNoAcknowledgedInvalidation) {
  SentinelGroup group;
  const std::size_t keys = testing_support::scaled(10'000);
  EXPECT_GT(undone_by_failover(group, "control", "0s", keys), 2 * keys)
      << "replication was paused, so all must be back";
  EXPECT_EQ(undone_by_failover(group, "journal", "30s", keys), 0u);
}

}  // namespace
}  // namespace dsta::cache
