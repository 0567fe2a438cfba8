// Large values that come, or go, too slowly for their deadline: what that costs everybody else.
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "eventually.hpp"
#include "l2/client/link.hpp"
#include "large_value_server.hpp"
#include "on_threads.hpp"
#include "over_redis.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using detail::Lane;
using detail::Link;
using detail::LinkOptions;
using detail::Purpose;
using detail::Request;

const Request kGetBig{"GET", "dsta:big"}, kGetSmall{"GET", "dsta:small"};

struct SlowLargeValues : LargeValueServer {
  LinkOptions link_options(std::size_t large) const {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = proxy->port();
    options.large_connections = large;
    options.operation_timeout = 400ms;
    options.log.level = LogLevel::off;
    return options;
  }
  /// 8 MB in a bit over a second.
  static Fault slowly(Fault::Way way = Fault::Way::replies) { return Fault::drip(64 << 10, 10ms, way); }
  static bool reads_small(CacheManager& cache) { return cache.get<int>("small", kAtServer) == 1; }
  /// What ends the connection over the reply does so once on the one that all share.
  static void expect_one_loss_of_l1(ManagerOptions options) {
    CacheManager cache(std::move(options));
    const auto in_l1 = [&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; };
    ASSERT_TRUE(eventually(in_l1));
    EXPECT_FALSE(cache.get("big", kAtServer));
    ASSERT_TRUE(eventually([&] { return in_l1() && reads_small(cache); }));
    const auto losses = cache.get_stats().l1_suspensions;
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(cache.get("big", kAtServer));
    // On a machine that is busy a connection for large values may not come about in time, and the shared one is taken.
    EXPECT_LE(cache.get_stats().l1_suspensions, losses + 1) << "each read would end it twice";
    EXPECT_TRUE(eventually(in_l1));
  }
};

TEST_F(SlowLargeValues, ThatNeverComeInTimeHoldUpOthersOnce) {
  CacheManager cache(over_redis(proxy->url(), false, 400ms));
  ASSERT_TRUE(reads_small(cache));
  proxy->set(slowly());
  EXPECT_FALSE(cache.get("big", kAtServer));
  ASSERT_TRUE(eventually([&] { return reads_small(cache); }));
  std::atomic<bool> over = false;
  std::thread other([&] {
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(cache.get("big", kAtServer));
    over = true;
  });
  while (!over) {
    EXPECT_TRUE(reads_small(cache));
    std::this_thread::sleep_for(1ms);
  }
  other.join();
  EXPECT_TRUE(cache.set("big", 2, kAtServer));
  EXPECT_EQ(cache.get<int>("big", kAtServer), 2);
}

TEST_F(SlowLargeValues, OfABatchAreKnownByTheirPlace) {
  CacheManager cache(over_redis(proxy->url(), false, 400ms));
  ASSERT_TRUE(reads_small(cache));
  proxy->set(slowly());
  EXPECT_FALSE(cache.get_many<std::string>({"none", "big"}, kAtServer)[1]);
  ASSERT_TRUE(eventually([&] { return reads_small(cache); }));
  EXPECT_EQ(cache.get_stats().large_connections, 0u);
  EXPECT_FALSE(cache.get("none", kAtServer));
  EXPECT_EQ(cache.get_stats().large_connections, 0u);
  EXPECT_FALSE(cache.get("big", kAtServer));
  EXPECT_EQ(cache.get_stats().large_connections, 1u);
}

TEST_F(SlowLargeValues, OverMaxReplyBytesEndTheSharedConnectionOnce) {
  expect_one_loss_of_l1(over_redis(server->url() + "?max_reply_bytes=1MiB", true, 2s));
}

TEST_F(SlowLargeValues, OverMaxReplyBytesCostNobodyElseAnAnswer) {
  const auto beside = [&](const std::function<void(CacheManager&)>& reads_big) {
    CacheManager cache(over_redis(server->url() + "?max_reply_bytes=1MiB", false, 2s));
    ASSERT_TRUE(reads_small(cache));
    std::atomic<bool> over = false;
    std::atomic<int> missed = 0;
    on_threads(5, [&](std::size_t thread) {
      if (thread == 0) {
        std::this_thread::sleep_for(5ms);
        reads_big(cache);
        over = true;
      }
      while (!over) missed += !reads_small(cache);
    });
    EXPECT_EQ(missed, 0);
  };
  for (int i = 0; i < 8; ++i) {
    beside([](CacheManager& cache) { EXPECT_FALSE(cache.get("big", kAtServer)); });
    beside([](CacheManager& cache) { EXPECT_FALSE(cache.get_many<std::string>({"none", "big"}, kAtServer)[1]); });
  }
  beside([](CacheManager& cache) { cache.del("big", kAtServer); });
  EXPECT_EQ(server->command({"EXISTS", "dsta:big"}), "0");
}

TEST_F(SlowLargeValues, OverTheServersLimitEndTheSharedConnectionOnce) {
  server->command({"CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"});
  expect_one_loss_of_l1(over_redis(server->url(), true, 2s));
  server->command({"CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0"});
}

TEST_F(SlowLargeValues, AReadThatWasGivenUpIsNothingToWaitFor) {
  Link link(link_options(1));
  const auto shared = link.run(kGetSmall, Purpose::read);
  ASSERT_TRUE(shared);
  proxy->set(slowly());
  ASSERT_EQ(link.run(kGetBig, Purpose::read).fault, detail::Fault::timeout);
  const auto read = link.run(kGetSmall, Purpose::read, Lane::large_read);
  ASSERT_TRUE(read);
  EXPECT_NE(read.order.connection, shared.order.connection);
}

TEST_F(SlowLargeValues, LeaveNoConnectionBehindThatOwesAReply) {
  Link link(link_options(2));
  ASSERT_TRUE(link.run(kGetSmall, Purpose::read));
  proxy->set(slowly());
  for (int i = 0; i < 3; ++i) {
    const auto given_up = link.run(kGetBig, Purpose::read, Lane::large);
    ASSERT_EQ(given_up.fault, detail::Fault::timeout);
    const auto next = link.run(kGetSmall, Purpose::read, Lane::large);
    ASSERT_TRUE(next);
    EXPECT_NE(next.order.connection, given_up.order.connection);
    EXPECT_EQ(link.counters().open_large, 1u);
  }
}

TEST_F(SlowLargeValues, AreReadWhileWritesHang) {
  Link link(link_options(1));
  const auto shared = link.run(kGetSmall, Purpose::read);
  ASSERT_TRUE(shared);
  server->command({"CLIENT", "PAUSE", "20000", "WRITE"});
  for (int i = 0; i < 8 && link.takes_writes(); ++i) {
    EXPECT_FALSE(link.run(Request{"SET", "k", "v"}, Purpose::write));
    EXPECT_TRUE(link.run(kGetSmall, Purpose::read));
  }
  EXPECT_FALSE(link.takes_writes());
  const auto now = link.run(kGetSmall, Purpose::read);
  detail::Answer read;
  EXPECT_TRUE(eventually([&] { return bool(read = link.run(kGetBig, Purpose::read, Lane::large_read)); }));
  server->command({"CLIENT", "UNPAUSE"});
  ASSERT_TRUE(now);
  ASSERT_TRUE(read);
  EXPECT_NE(read.order.connection, now.order.connection);
}

TEST_F(SlowLargeValues, SendTheOthersNowhereElse) {
  for (const Fault::Way way : {Fault::Way::requests, Fault::Way::replies}) {
    Link link(link_options(1));
    const auto shared = link.run(kGetSmall, Purpose::read);
    ASSERT_TRUE(shared);
    proxy->set(slowly(way));
    const std::string value(8 * kMebi, 'v');
    const bool writes = way == Fault::Way::requests;
    // The first request of its connection.
    ASSERT_FALSE(link.run(writes ? Request{"SET", "k", value} : kGetBig, Purpose::read, Lane::large));
    proxy->clear();
    const auto next = link.run(kGetSmall, Purpose::read, Lane::large);
    ASSERT_TRUE(next);
    EXPECT_NE(next.order.connection, shared.order.connection);
  }
}

TEST_F(SlowLargeValues, WhereNothingMovesAllTakeTheSharedConnection) {
  Link link(link_options(1));
  const auto shared = link.run(kGetSmall, Purpose::read);
  ASSERT_TRUE(shared);
  proxy->set(Fault::blackhole().on("GET"));
  ASSERT_FALSE(link.run(kGetBig, Purpose::read, Lane::large));
  proxy->clear();
  const auto next = link.run(kGetSmall, Purpose::read, Lane::large);
  ASSERT_TRUE(next);
  EXPECT_EQ(next.order.connection, shared.order.connection);
}

TEST_F(SlowLargeValues, AreNotStoredAndTheSmallOnesBesideAre) {
  CacheManager cache(over_redis(proxy->url(), false, 400ms));
  ASSERT_TRUE(reads_small(cache));
  proxy->set(slowly(Fault::Way::requests).on("SET"));
  for (const bool raw : {false, true}) {
    const EntryOptions options{.ttl = 600s, .level = Level::l2, .raw = raw};
    const auto stored =
        cache.set_many<std::string>({{"a", "1"}, {"slow", std::string(8 * kMebi, 's')}, {"b", "2"}}, options);
    EXPECT_EQ(stored[0], SetResult::stored) << stored[0].reason();
    EXPECT_EQ(stored[1], SetResult::not_stored);
    EXPECT_EQ(stored[2], SetResult::stored) << stored[2].reason();
    EXPECT_EQ(cache.get("b", options), "2");
    EXPECT_FALSE(cache.exists("slow", options));
    cache.del("a", options);
    cache.del("b", options);
  }
}

}  // namespace
}  // namespace dsta::cache
