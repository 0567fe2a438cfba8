// Large values on connections of their own: whom they hold up, and in which order things happen.
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "l2/client/link.hpp"
#include "large_value_server.hpp"
#include "on_threads.hpp"
#include "over_redis.hpp"
#include "scale.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using SteadyClock = std::chrono::steady_clock;
using detail::Lane;
using detail::Link;
using detail::LinkOptions;
using detail::Purpose;
using detail::Request;

struct LargeConnections : LargeValueServer {
  void SetUp() override {
    if (server) server->command({"CONFIG", "SET", "maxclients", "1000"});
    LargeValueServer::SetUp();
  }
  /// Without the one that asks.
  static std::uint64_t clients() { return info_number(*server, "clients", "connected_clients:") - 1; }
  static std::string uploads() { return server->command({"KEYS", "dsta:\x01up:*"}); }
  LinkOptions link_options(std::size_t large) {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = proxy->port();
    options.large_connections = large;
    options.operation_timeout = 2s;
    options.log.level = LogLevel::off;
    return options;
  }
  /// While `large` runs, which takes seconds, small values are read one after the other.
  static void expect_small_reads_beside(CacheManager& cache, const std::function<void()>& large) {
    std::atomic<bool> over = false;
    std::thread other([&] {
      large();
      over = true;
    });
    int small = 0;
    auto longest = SteadyClock::duration::zero();
    while (!over) {
      const auto begun = SteadyClock::now();
      EXPECT_EQ(cache.get<int>("small", kAtServer), 1);
      longest = std::max(longest, SteadyClock::now() - begun);
      ++small;
    }
    other.join();
    EXPECT_GT(small, 20);
    EXPECT_LT(longest, 1500ms);
  }
};

TEST_F(LargeConnections, SmallReadsAreNotBehindALargeOne) {
  CacheManager cache(over_redis(proxy->url(), false, 20s));
  ASSERT_EQ(cache.get("big", kAtServer)->size(), 8 * kMebi);  // now it is known to be large
  proxy->set(Fault::drip(64 << 10, 20ms).on("MGET"));         // 8 MB in 2.5 s
  expect_small_reads_beside(cache, [&] { EXPECT_EQ(cache.get("big", kAtServer), std::string(8 * kMebi, 'b')); });
}

TEST_F(LargeConnections, SmallReadsAreNotBehindALargeWrite) {
  CacheManager cache(over_redis(proxy->url(), false, 20s));
  ASSERT_EQ(cache.get<int>("small", kAtServer), 1);
  const std::string value(8 * kMebi, 'w');
  proxy->set(Fault::drip(64 << 10, 20ms, Fault::Way::requests).on("SET"));
  expect_small_reads_beside(cache, [&] { EXPECT_TRUE(cache.set("written", value, kAtServer)); });
  EXPECT_EQ(cache.get("written", kAtServer), value);
}

TEST_F(LargeConnections, StoreWhatStaysInL1AndLivesAsLongAsItShould) {
  for (const bool raw : {false, true}) {
    CacheManager cache(over_redis(server->url(), true, 20s));
    ASSERT_TRUE(eventually([&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; }));
    const std::string value(2 * kMebi, 'v');
    ASSERT_TRUE(cache.set("large", value, {.ttl = 100s, .raw = raw}));
    const long left = std::stol(server->command({"PTTL", "dsta:large"}));
    EXPECT_GT(left, 90'000);
    EXPECT_LE(left, 101'000);
    EXPECT_EQ(uploads(), "");
    std::this_thread::sleep_for(50ms);  // a report of the change would have come
    if (!raw) {
      EXPECT_EQ(cache.lookup<std::string>("large").source, Source::l1);
    }
    CacheManager other(over_redis(server->url(), false, 20s));
    EXPECT_EQ(other.get("large", {.raw = raw}), value);
    ASSERT_TRUE(cache.set("large", std::string("small"), {.ttl = forever, .raw = raw}));
    EXPECT_EQ(other.get("large", {.raw = raw}), "small");
    ASSERT_TRUE(cache.set("large", value, {.ttl = forever, .raw = raw}));
    EXPECT_EQ(server->command({"PTTL", "dsta:large"}), "-1");
    EXPECT_EQ(other.get("large", {.raw = raw}), value);
    EXPECT_TRUE(cache.del("large", {.raw = raw}));
  }
}

TEST_F(LargeConnections, DoNotAskForTheServersTimeEachTime) {
  CacheManager cache(over_redis(server->url(), false, 20s));
  const std::string value(kMebi, 'v');
  ASSERT_TRUE(cache.set("large", value, kAtServer));
  const std::uint64_t asked = calls_of(*server, "time");
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(cache.set("large", value, kAtServer));
    ASSERT_TRUE(cache.get("large", kAtServer));
  }
  EXPECT_LE(calls_of(*server, "time"), asked + 1);
}

TEST_F(LargeConnections, CarryWhatFunctionsReturn) {
  CacheManager cache(over_redis(server->url(), false, 20s)), other(over_redis(server->url(), false, 20s));
  std::atomic<int> loads = 0;
  const auto function = [&](int n) {
    ++loads;
    return std::string(2 * kMebi, static_cast<char>('a' + n));
  };
  const auto load = [&](CacheManager& of) { return of.cached({.ttl = 60s, .prefix = "f", .name = "f"}, function); };
  auto here = load(cache), there = load(other);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(here(1), std::string(2 * kMebi, 'b'));
    EXPECT_EQ(there(1), std::string(2 * kMebi, 'b'));
  }
  EXPECT_EQ(loads, 1);
  here.invalidate(1);
  EXPECT_EQ(there(1), std::string(2 * kMebi, 'b'));
  EXPECT_EQ(loads, 2);
  (void)here.refresh(1);
  EXPECT_EQ(loads, 3);
}

TEST_F(LargeConnections, AreNotMadeWhereOneIsAllowed) {
  ManagerOptions options = over_redis(server->url(), false, 20s);
  options.pool.max_connections = 1;
  CacheManager cache(std::move(options));
  const std::uint64_t before = clients(), renamed = calls_of(*server, "rename");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cache.set("large", std::string(2 * kMebi, 'v'), kAtServer));
    ASSERT_TRUE(cache.get("large", kAtServer));
  }
  EXPECT_LE(clients(), before + 1);
  EXPECT_EQ(calls_of(*server, "rename"), renamed);
}

TEST_F(LargeConnections, ThatAreNotToBeHadHoldNothingUp) {
  CacheManager cache(over_redis(server->url(), false, 20s));
  ASSERT_EQ(cache.get<int>("small", kAtServer), 1);
  server->command({"CONFIG", "SET", "maxclients", std::to_string(clients() + 1)});
  const std::string value(2 * kMebi, 'v');
  EXPECT_TRUE(cache.set("large", value, kAtServer));
  EXPECT_EQ(cache.get("large", kAtServer), value);
  EXPECT_EQ(cache.get<int>("small", kAtServer), 1);
  EXPECT_TRUE(check_health(cache).healthy);
  EXPECT_EQ(cache.get_stats().l2_errors, 0u);
}

TEST_F(LargeConnections, ThatCannotBeMadeInTimeLeaveTimeForTheOthers) {
  CacheManager cache(over_redis(proxy->url(), false, 2s));
  ASSERT_EQ(cache.get<int>("small", kAtServer), 1);
  const std::string value(kMebi, 'v');
  for (const Fault& fault : {Fault::hang_connect(), Fault::never_answer()}) {
    proxy->set(fault);
    const auto begun = SteadyClock::now();
    EXPECT_TRUE(cache.set("large", value, kAtServer));
    EXPECT_LT(SteadyClock::now() - begun, 2200ms);
    EXPECT_EQ(cache.get("large", kAtServer), value);
    EXPECT_EQ(cache.get<int>("small", kAtServer), 1);
    std::this_thread::sleep_for(1100ms);  // until one more is tried
  }
  proxy->clear();
  EXPECT_TRUE(cache.set("large", value, kAtServer));
  EXPECT_EQ(cache.get_stats().large_connections, 1u);
  EXPECT_EQ(cache.get_stats().connections, 2u);
}

/// Where the server is, as the test says.
struct FoundServer final : detail::ServerFinder {
  explicit FoundServer(std::uint16_t first) : port(first) {}
  const std::string& name() const override { return name_; }
  std::optional<Found> find(std::size_t, TimePoint, std::string&) override {
    return Found{.address = {.host = "127.0.0.1", .port = port, .socket_path = {}}, .source = 0};
  }
  void found_wrong(std::size_t) noexcept override {}
  std::size_t first() const noexcept override { return 0; }
  std::size_t sources() const noexcept override { return 1; }
  std::atomic<std::uint16_t> port;

 private:
  const std::string name_ = "master";
};

TEST_F(LargeConnections, LeaveTheFormerMasterAsAllDo) {
  const RedisServer next;
  const auto finder = std::make_shared<FoundServer>(server->port());
  LinkOptions options = link_options(2);
  options.finder = finder;
  Link link(options);
  const Request where{"CONFIG", "GET", "port"};
  const auto asked = [&](Lane lane) {
    const auto answer = link.run(where, Purpose::read, lane);
    return answer ? answer.replies[0].elements.at(1).text : std::string("(fault)");
  };
  for (const Lane lane : {Lane::shared, Lane::large}) EXPECT_EQ(asked(lane), std::to_string(server->port()));
  finder->port = next.port();
  link.server_moved("the test says so");
  EXPECT_EQ(link.counters().open, 0u);
  for (const Lane lane : {Lane::shared, Lane::large, Lane::large_read})
    EXPECT_EQ(asked(lane), std::to_string(next.port()));
  EXPECT_EQ(link.counters().open_large, 1u);
  EXPECT_EQ(link.counters().server_changes, 1u);
}

TEST_F(LargeConnections, WhatIsRemovedDoesNotComeBackFirst) {
  CacheManager cache(over_redis(server->url(), false, 20s));
  const std::string value(8 * kMebi, 'v');
  const auto sent = [&] {
    const std::string info = server->command({"INFO", "stats"});
    return std::stoull(info.substr(info.find("total_net_output_bytes:") + 23));
  };
  for (const bool raw : {false, true}) {
    ASSERT_TRUE(cache.set("large", value, {.ttl = 60s, .level = Level::l2, .raw = raw}));
    const auto before = sent();
    EXPECT_TRUE(cache.del("large", {.level = Level::l2, .raw = raw}));
    EXPECT_LT(sent() - before, kMebi);
    EXPECT_FALSE(cache.exists("large", {.level = Level::l2, .raw = raw}));
  }
}

TEST_F(LargeConnections, WithoutRenameAllTravelTogether) {
  server->command({"ACL", "SETUSER", "norename", "on", ">pw", "~*", "&*", "+@all", "-rename"});
  ManagerOptions options = over_redis("redis://norename:pw@127.0.0.1:" + std::to_string(server->port()), false, 20s);
  CacheManager cache(std::move(options));
  const std::string value(2 * kMebi, 'v');
  const auto both = cache.set_many<std::string>({{"large", value}, {"n", "small"}}, kAtServer);
  EXPECT_TRUE(both[0]);
  EXPECT_TRUE(both[1]);
  EXPECT_EQ(cache.get("large", kAtServer), value);
  EXPECT_EQ(uploads(), "");
  EXPECT_NE(check_health(cache).warning.find("RENAME"), std::string::npos);
  EXPECT_TRUE(cache.set("large", value, {.ttl = 60s, .raw = true}));
}

TEST_F(LargeConnections, WithoutPexpireAndPersistValuesLiveAsLong) {
  server->command({"ACL", "SETUSER", "nolives", "on", ">pw", "~*", "&*", "+@all", "-pexpire", "-persist"});
  CacheManager cache(over_redis("redis://nolives:pw@127.0.0.1:" + std::to_string(server->port()), false, 20s));
  const std::string value(2 * kMebi, 'v');
  ASSERT_TRUE(cache.set("large", value, kAtServer));
  EXPECT_GT(std::stoll(server->command({"PTTL", "dsta:large"})), 500'000);
  EXPECT_NE(check_health(cache).warning.find("PEXPIRE"), std::string::npos);
}

TEST_F(LargeConnections, WhereRenameIsRefusedWhatStandsThereKeepsItsLife) {
  server->command({"ACL", "SETUSER", "norename", "on", ">pw", "~*", "&*", "+@all", "-rename"});
  CacheManager cache(over_redis("redis://norename:pw@127.0.0.1:" + std::to_string(proxy->port()), false, 2s));
  server->command({"SET", "dsta:large", "old", "PX", "60000"});
  ASSERT_TRUE(cache.set("k", 1));
  proxy->set(Fault::hold(Fault::Way::replies).on("RENAME"));  // no time is left to send it once more
  EXPECT_FALSE(cache.set("large", std::string(2 * kMebi, 'v'), {.ttl = forever, .level = Level::l2, .raw = true}));
  EXPECT_GT(std::stoll(server->command({"PTTL", "dsta:large"})), 0);
}

TEST_F(LargeConnections, AnUploadThatWasRemovedOnItsWayIsSentAgain) {
  CacheManager cache(over_redis(proxy->url(), false, 20s));
  ASSERT_TRUE(cache.set("k", 1));
  const std::string value(2 * kMebi, 'v');
  proxy->set(Fault::hold().on("RENAME"));
  std::thread setter([&] { EXPECT_TRUE(cache.set("large", value, kAtServer)); });
  EXPECT_TRUE(eventually([&] { return proxy->counters().faults > 0; }));
  server->command({"FLUSHALL"});
  proxy->clear();
  setter.join();
  EXPECT_EQ(cache.get("large", kAtServer), value);
  EXPECT_EQ(check_health(cache).warning, "") << "the server has RENAME";
}

TEST_F(LargeConnections, ThatWereEndedWhileIdleCostNoRequest) {
  CacheManager cache(over_redis(server->url(), false, 20s));
  const std::string value(2 * kMebi, 'v');
  on_threads(4, [&](std::size_t i) {
    for (int n = 0; n < 5; ++n) EXPECT_TRUE(cache.set("large" + std::to_string(i), value, kAtServer));
  });
  server->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(eventually([&] { return bool(cache.set("small", 1, kAtServer)); }));
  EXPECT_TRUE(cache.set("large0", value, kAtServer));
  EXPECT_EQ(cache.get("large1", kAtServer), value);
}

TEST_F(LargeConnections, AnAbandonedWriteDoesNotFollowARemoval) {
  CacheManager cache(over_redis(proxy->url(), false, 500ms));
  ASSERT_TRUE(cache.set("written", std::string("older"), kAtServer));
  ASSERT_EQ(cache.get<int>("small", kAtServer), 1);
  proxy->set(Fault::hold(Fault::Way::requests).on("SET"));
  EXPECT_FALSE(cache.set("written", std::string(2 * kMebi, 'w'), kAtServer));
  cache.del("written");
  proxy->clear();  // now the server gets it
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(cache.get("written", kAtServer));
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(eventually([&] { return uploads().empty(); }, 5s)) << uploads();
}

TEST_F(LargeConnections, AreMadeForLargeRequestsAndEndedWhenIdle) {
  LinkOptions options = link_options(2);
  options.large_idle = 50ms;
  Link link(options);
  const Request small{"GET", "dsta:small"};
  const auto shared = link.run(small, Purpose::read);
  ASSERT_TRUE(shared);
  EXPECT_EQ(link.counters().open, 1u);
  const auto large = link.run(small, Purpose::read, Lane::large);
  EXPECT_NE(large.order.connection, shared.order.connection);
  EXPECT_EQ(link.run(small, Purpose::read, Lane::large).order.connection, large.order.connection);
  EXPECT_EQ(link.run(small, Purpose::read).order.connection, shared.order.connection);
  EXPECT_EQ(link.counters().open_large, 1u);
  EXPECT_TRUE(eventually([&] {
    link.close_idle();
    return link.counters().open == 1;
  }));
  EXPECT_TRUE(link.run(small, Purpose::read, Lane::large));
  EXPECT_EQ(link.counters().made, 3u);
}

TEST_F(LargeConnections, AreAtMostAsManyAsAllowed) {
  Link link(link_options(2));
  ASSERT_TRUE(link.run(Request{"PING"}, Purpose::read));
  proxy->set(Fault::delay(100ms).on("GET"));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] { EXPECT_TRUE(link.run(Request{"GET", "k"}, Purpose::read, Lane::large)); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(link.counters().open_large, 2u);
  EXPECT_EQ(link.counters().made, 3u);
}

TEST_F(LargeConnections, AReadIsBehindAWriteThatWasGivenUp) {
  LinkOptions options = link_options(1);
  options.operation_timeout = 300ms;
  Link link(options);
  const auto shared = link.run(Request{"SET", "k", "1"}, Purpose::write);
  ASSERT_TRUE(shared);
  EXPECT_NE(link.run(Request{"GET", "k"}, Purpose::read, Lane::large_read).order.connection, shared.order.connection);
  proxy->set(Fault::drip(64 << 10, 5ms).on("GET"));  // 8 MB in 0.6 s
  std::thread large([&] { EXPECT_FALSE(link.run(Request{"GET", "dsta:big"}, Purpose::read)); });
  std::this_thread::sleep_for(100ms);
  const auto given_up = link.run(Request{"SET", "k", "2"}, Purpose::write);
  large.join();
  ASSERT_EQ(given_up.fault, detail::Fault::timeout);
  ASSERT_TRUE(given_up.maybe_executed);
  // Whatever it answers, it is behind the write, or the connection has ended.
  const auto read = link.run(Request{"GET", "k"}, Purpose::read, Lane::large_read);
  if (read) {
    EXPECT_EQ(read.replies[0].text, "2");
    EXPECT_EQ(read.order.connection, shared.order.connection);
  }
  EXPECT_TRUE(eventually([&] {
    const auto later = link.run(Request{"GET", "k"}, Purpose::read, Lane::large_read);
    return later && later.order.connection != shared.order.connection;
  }));
}

TEST_F(LargeConnections, OfAParentAreNotItsChilds) {
  CacheManager cache(over_redis(server->url(), false, 20s));
  const std::string value(2 * kMebi, 'v'), other(2 * kMebi, 'o');
  ASSERT_TRUE(cache.set("large", value, kAtServer));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool works = cache.set("childs", other, kAtServer) && cache.get("large", kAtServer) == value;
    ::_exit(works && cache.get_stats().connections_made == 2 ? 0 : 1);
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(cache.get("large", kAtServer), value);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(cache.get("childs", kAtServer), other);
  EXPECT_EQ(cache.get_stats().connections_made, 2u);
}

TEST_F(LargeConnections, CloseWithTheManager) {
  const std::uint64_t before = clients();
  {
    CacheManager cache(over_redis(proxy->url(), true, 20s));
    ASSERT_TRUE(cache.set("large", std::string(2 * kMebi, 'v'), kAtServer));
    ASSERT_TRUE(cache.get("large", kAtServer));
    EXPECT_GT(clients(), before + 2);
  }
  EXPECT_TRUE(eventually([&] { return clients() <= before; })) << clients() << " " << before;
}

TEST_F(LargeConnections, AreLostAndMadeAgainWithoutALossOfL1) {
  CacheManager cache(over_redis(server->url(), true, 20s));
  ASSERT_TRUE(eventually([&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; }));
  const std::string value(2 * kMebi, 'v');
  ASSERT_TRUE(cache.set("large", value, kAtServer));
  // All but the one that tracks, the channel, and the one that asks.
  std::istringstream list(server->command({"CLIENT", "LIST", "TYPE", "normal"}));
  int killed = 0;
  for (std::string line; std::getline(list, line);) {
    if (line.find(" flags=N ") == std::string::npos) continue;
    server->command({"CLIENT", "KILL", "ID", line.substr(3, line.find(' ') - 3)});
    ++killed;
  }
  ASSERT_EQ(killed, 1);
  EXPECT_EQ(cache.get("large", kAtServer), value);
  EXPECT_EQ(cache.lookup<int>("k").source, Source::l1);
  EXPECT_EQ(cache.get_stats().l1_suspensions, 0u);
}

}  // namespace
}  // namespace dsta::cache
