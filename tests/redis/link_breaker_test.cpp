// A server that is there and does not do its work: it costs three deadlines, then nothing, and is back within a second.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "fault_proxy.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/link.hpp"
#include "on_threads.hpp"
#include "redis_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using NetworkFault = testing_support::Fault;
using testing_support::FaultProxy;
using testing_support::on_threads;
using testing_support::RedisServer;
using SteadyClock = std::chrono::steady_clock;

struct LinkBreaker : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server.emplace();
    proxy.emplace(server->port());
  }
  LinkOptions options(Duration patience = 100ms) const {
    LinkOptions made;
    made.address.host = "127.0.0.1";
    made.address.port = proxy->port();
    made.operation_timeout = patience;
    made.log.level = LogLevel::off;
    return made;
  }
  static Answer get(Link& link, const std::string& key = "k") { return link.run(Request{"GET", key}, Purpose::read); }
  static Answer set(Link& link) { return link.run(Request{"SET", "k", "v"}, Purpose::write); }
  static void until_down(Link& link) {
    while (link.up()) get(link);
  }
  /// From now until a request succeeds.
  static Duration until_good(Link& link) {
    const auto begun = SteadyClock::now();
    while (!get(link)) std::this_thread::sleep_for(1ms);
    return SteadyClock::now() - begun;
  }
  void expect_two_attempts_a_second() const {
    const auto accepted = proxy->accepted();
    for (std::size_t i = 3; i < accepted.size(); ++i) {      // the first was before
      EXPECT_GE(accepted[i] - accepted[i - 2], 850ms) << i;  // a busy machine accepts one late, but the next in time
    }
  }

  std::optional<RedisServer> server;
  std::optional<FaultProxy> proxy;
};

TEST_F(LinkBreaker, AServerThatAnswersOnlyPingCostsThreeDeadlines) {
  Link link(options());
  ASSERT_TRUE(set(link));
  proxy->set(NetworkFault::hold().on("GET"));
  int waited = 0;
  for (; link.up() && waited < 10; ++waited) EXPECT_FALSE(get(link));
  EXPECT_EQ(waited, 3);
  EXPECT_EQ(link.counters().breaker_changes, 1u);

  std::atomic<int> refused = 0, slow = 0;
  const auto end = SteadyClock::now() + 3s;
  on_threads(8, [&](std::size_t) {
    while (SteadyClock::now() < end) {
      const auto begun = SteadyClock::now();
      ++(get(link).fault == detail::Fault::no_connection && SteadyClock::now() - begun < 50ms ? refused : slow);
      std::this_thread::sleep_for(1ms);
    }
  });
  EXPECT_GT(refused, 100 * slow);
  expect_two_attempts_a_second();
  proxy->clear();
  EXPECT_LT(until_good(link), 1250ms);
  EXPECT_TRUE(link.up());
}

TEST_F(LinkBreaker, SixtyFourTimeoutsTogetherAreOneFailure) {
  Link link(options(400ms));
  ASSERT_TRUE(set(link));
  for (int round = 0; round < 2; ++round) {
    proxy->set(NetworkFault::hold().on("GET"));
    std::barrier together(64);
    on_threads(64, [&](std::size_t) {
      together.arrive_and_wait();
      EXPECT_FALSE(get(link));
    });
    EXPECT_TRUE(link.up()) << round;
  }
  EXPECT_EQ(link.counters().breaker_changes, 0u);
  proxy->clear();
  EXPECT_TRUE(get(link)) << "nothing was held against the server";
}

TEST_F(LinkBreaker, ASuccessBetweenTimeoutsKeepsItUp) {
  Link link(options(50ms));
  ASSERT_TRUE(set(link));
  for (int round = 0; round < 4; ++round) {
    proxy->set(NetworkFault::hold().on("GET"));
    EXPECT_FALSE(get(link));
    EXPECT_FALSE(get(link));
    proxy->clear();
    EXPECT_TRUE(get(link)) << round;
  }
  EXPECT_EQ(link.counters().breaker_changes, 0u);
}

TEST_F(LinkBreaker, ErrorsThatConcernOneKeyNeverCount) {
  Link link(options(2s));
  ASSERT_TRUE(set(link));
  for (int i = 0; i < 100; ++i) {
    const Answer answer = link.run(Request{"LPUSH", "k", "x"}, Purpose::write);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer.replies[0].error_code(), "WRONGTYPE");
  }
  EXPECT_TRUE(link.up());
  EXPECT_EQ(link.counters().attempts, 1u);
}

TEST_F(LinkBreaker, ALoadingServerIsAskedThreeTimes) {
  Link link(options(2s));
  ASSERT_TRUE(set(link));
  proxy->set(NetworkFault::error_reply("LOADING Redis is loading the dataset in memory"));
  for (int i = 0; i < 3; ++i) {
    const Answer answer = i == 1 ? set(link) : get(link);
    ASSERT_TRUE(answer) << "it is an answer";
    EXPECT_EQ(answer.replies[0].error_code(), "LOADING");
  }
  EXPECT_FALSE(link.up());
  const auto asked = proxy->counters().requests;
  const auto end = SteadyClock::now() + 2s;
  while (SteadyClock::now() < end) EXPECT_EQ(get(link).fault, detail::Fault::no_connection);
  EXPECT_LE(proxy->counters().requests, asked + 5) << "the probes' PING";
  expect_two_attempts_a_second();
  proxy->clear();
  EXPECT_LT(until_good(link), 1250ms);
}

TEST_F(LinkBreaker, AHolderLearnsThatTheConnectionWasReplaced) {
  Link link(options(2s));
  const auto watch = link.watch();
  ASSERT_TRUE(set(link));
  const auto before = link.current();
  const auto ends = watch->ends.load();
  proxy->set(NetworkFault::error_reply("LOADING").on("GET"));
  until_down(link);  // the connection itself is well
  proxy->clear();
  until_good(link);
  ASSERT_NE(link.current(), before);
  EXPECT_FALSE(before->usable());
  EXPECT_GT(watch->ends, ends);
}

TEST_F(LinkBreaker, AServerThatEndsEachConnectionIsTriedTwiceASecond) {
  Link link(options(2s));
  ASSERT_TRUE(set(link));
  proxy->set(NetworkFault::reset_before().on("GET"));
  const auto end = SteadyClock::now() + 3s;
  while (SteadyClock::now() < end) {
    EXPECT_FALSE(get(link));
    std::this_thread::sleep_for(100us);
  }
  EXPECT_GE(proxy->accepted().size(), 4u) << "it does try";
  expect_two_attempts_a_second();
  proxy->clear();
  EXPECT_LT(until_good(link), 1250ms);
}

TEST_F(LinkBreaker, SeveralConnectionsStayWithinTheLimit) {
  LinkOptions many = options(2s);
  many.connections = 6;
  Link link(many);
  on_threads(32, [&](std::size_t) { EXPECT_TRUE(set(link)); });
  EXPECT_EQ(link.counters().breaker_changes, 0u);
  EXPECT_LE(proxy->accepted().size(), 6u);
}

TEST_F(LinkBreaker, TheFirstRequestSucceedsASecondAfterTheReturn) {
  const std::pair<const char*, NetworkFault> ways[] = {{"refuse", NetworkFault::refuse()},
                                                       {"hanging connect", NetworkFault::hang_connect()},
                                                       {"reset", NetworkFault::reset_on_accept()},
                                                       {"never answers", NetworkFault::never_answer()},
                                                       {"black hole", NetworkFault::blackhole()},
                                                       {"hold", NetworkFault::hold()},
                                                       {"drip", NetworkFault::drip(1, 80ms)},
                                                       {"drip of GET", NetworkFault::drip(1, 80ms).on("GET")},
                                                       {"LOADING", NetworkFault::error_reply("LOADING")}};
  server->command({"SET", "k", std::string(1000, 'v')});
  for (const auto& [name, fault] : ways) {
    Link link(options(200ms));
    ASSERT_TRUE(get(link));
    proxy->set(fault);
    proxy->reset_connections();
    const auto end = SteadyClock::now() + 1300ms;
    while (SteadyClock::now() < end) {
      get(link);
      std::this_thread::sleep_for(1ms);
    }
    proxy->clear();
    const Duration back = until_good(link);
    EXPECT_LT(back, 1250ms) << name;
    std::printf("%-16s back after %lld ms\n", name,
                static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(back).count()));
  }
}

TEST_F(LinkBreaker, WritesThatHangAreRefusedWhileReadsGoOn) {
  Link link(options());
  ASSERT_TRUE(set(link));
  server->command({"CLIENT", "PAUSE", "60000", "WRITE"});
  const auto writes = [&] { return set(link).fault != detail::Fault::no_connection; };
  int waited = 0;
  // Reads come between, so that no three failures in a row are all there is.
  for (; waited < 10 && writes(); ++waited) EXPECT_TRUE(get(link));
  EXPECT_EQ(waited, 3);
  EXPECT_TRUE(link.up());
  const auto refused = set(link);
  EXPECT_EQ(refused.fault, detail::Fault::no_connection);
  EXPECT_FALSE(refused.maybe_executed);
  EXPECT_NE(refused.why.find("did not answer in time"), std::string_view::npos) << refused.why;

  int failed = 0, passed = 0, reads = 0;
  for (const auto end = SteadyClock::now() + 2500ms; SteadyClock::now() < end; ++reads) {
    failed += get(link) ? 0 : 1;
    passed += writes() ? 1 : 0;
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(failed, 0) << "of " << reads << " reads: the probes have a connection of their own";
  EXPECT_EQ(passed, 0);
  server->command({"CLIENT", "UNPAUSE"});
  const auto back = SteadyClock::now();
  while (!set(link) && SteadyClock::now() - back < 10s) std::this_thread::sleep_for(1ms);
  EXPECT_LT(SteadyClock::now() - back, 1900ms) << "a probe that waited for the server, and one after a pause";
  EXPECT_EQ(link.counters().breaker_changes, 2u);
}

TEST_F(LinkBreaker, AWriteThatSucceedsForgetsThoseThatFailed) {
  Link link(options(200ms));
  ASSERT_TRUE(set(link));
  for (int round = 0; round < 3; ++round) {
    proxy->set(NetworkFault::hold().on("SET"));
    for (int i = 0; i < 2; ++i) {
      EXPECT_FALSE(set(link));
      EXPECT_TRUE(get(link));
    }
    proxy->clear();
    EXPECT_TRUE(set(link)) << round;
  }
  EXPECT_EQ(link.counters().breaker_changes, 0u);
}

TEST_F(LinkBreaker, WhereReadsFailTooOneBreakerOpensForAll) {
  Link link(options(200ms));
  ASSERT_TRUE(set(link));
  proxy->set(NetworkFault::hold());
  int waited = 0;
  for (; link.up() && waited < 10; ++waited) waited % 2 == 0 ? set(link) : get(link);
  EXPECT_LE(waited, 3);
  EXPECT_EQ(link.counters().breaker_changes, 1u);
  proxy->clear();
  EXPECT_LT(until_good(link), 1250ms);
  EXPECT_TRUE(set(link)) << "nothing is held against writes";
}

TEST_F(LinkBreaker, WritesGoOnWhereThereIsNoConnectionToTestThem) {
  Link link(options());
  ASSERT_TRUE(set(link));
  server->command({"CLIENT", "PAUSE", "60000", "WRITE"});
  for (int i = 0; i < 10 && set(link).fault != detail::Fault::no_connection; ++i) EXPECT_TRUE(get(link));
  ASSERT_TRUE(get(link)) << "its connection stays";
  proxy->set(NetworkFault::refuse());
  server->command({"CLIENT", "UNPAUSE"});
  const auto begun = SteadyClock::now();
  while (!set(link) && SteadyClock::now() - begun < 10s) {
    EXPECT_TRUE(get(link));
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_LT(SteadyClock::now() - begun, 10s);
}

}  // namespace
}  // namespace dsta::cache::detail
