// Requests that are sent now and waited for later.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "l2/client/link_started.hpp"
#include "redis_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::RedisServer;
using SteadyClock = std::chrono::steady_clock;

struct StartedRequest : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    for (auto* const server : {&one, &other}) server->emplace();
  }
  static LinkOptions options(const RedisServer& server) {
    LinkOptions made;
    made.address = {.host = "127.0.0.1", .port = server.port(), .socket_path = {}};
    made.operation_timeout = made.connect_timeout = 1s;
    made.log.level = LogLevel::off;
    return made;
  }
  static std::string text(Answer answer) { return answer ? answer.replies.at(0).text : "no answer"; }

  std::optional<RedisServer> one, other;
};

TEST_F(StartedRequest, BringsWhatRunBrings) {
  Link here(options(*one)), there(options(*other));
  one->command({"SET", "k", "1"});
  other->command({"SET", "k", "2"});
  const Request get{"GET", "k"};
  for (const Purpose purpose : {Purpose::read, Purpose::erase, Purpose::write}) {
    Link::Started first(here, get, purpose, Lane::shared), second(there, get, purpose, Lane::shared);
    first.send();
    second.send();
    EXPECT_TRUE(second.wait(TimePoint::max()));
    EXPECT_TRUE(first.wait(TimePoint::max()));
    EXPECT_EQ(text(first.answer()), "1");
    EXPECT_EQ(text(second.answer()), "2");
  }
}

TEST_F(StartedRequest, HoldsUpNobodyWhileItsCallerIsElsewhere) {
  Link link(options(*one));
  one->command({"SET", "k", "1"});
  const Request get{"GET", "k"};
  for (int round = 0; round < 50; ++round) {
    Link::Started away(link, get, Purpose::read, Lane::shared);
    away.send();
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 20; ++n) right += text(link.run(get, Purpose::erase)) == "1" ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 80);
    EXPECT_TRUE(away.wait(SteadyClock::now()));
    EXPECT_EQ(text(away.answer()), "1");
  }
  EXPECT_EQ(link.counters().made, 1u);
}

TEST_F(StartedRequest, ManyCallersOfTwoServersAllGetTheirOwn) {
  Link here(options(*one)), there(options(*other));
  one->command({"SET", "k", "1"});
  other->command({"SET", "k", "2"});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const Request get{"GET", "k"};
      for (int n = 0; n < 200; ++n) {
        if (i % 4 == 0) {
          wrong += text(here.run(get, Purpose::read)) == "1" ? 0 : 1;
          continue;
        }
        Link::Started first(here, get, Purpose::read, Lane::shared), second(there, get, Purpose::erase, Lane::shared);
        first.send();
        second.send();
        bool done[2] = {};
        while (!done[0] || !done[1]) {
          if (!done[1]) done[1] = second.wait(SteadyClock::now() + 200us);
          if (!done[0]) done[0] = first.wait(SteadyClock::now() + 200us);
        }
        wrong += text(first.answer()) == "1" && text(second.answer()) == "2" ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(here.counters().made, 1u);
  EXPECT_EQ(there.counters().made, 1u);
}

TEST_F(StartedRequest, EndsByItsDeadlineAndKeepsNothingOfOthers) {
  Link here(options(*one)), there(options(*other));
  one->command({"SET", "k", "1"});
  const Request get{"GET", "k"};
  ASSERT_EQ(text(here.run(get, Purpose::read)), "1");
  there.run(get, Purpose::read);
  other->pause();
  const auto begun = SteadyClock::now();
  Link::Started silent(there, get, Purpose::write, Lane::shared), first(here, get, Purpose::read, Lane::shared);
  silent.send();
  first.send();
  EXPECT_FALSE(silent.wait(begun + 100ms));
  EXPECT_TRUE(silent.wait(TimePoint::max()));
  EXPECT_LT(SteadyClock::now() - begun, 3s);
  const Answer late = silent.answer();
  EXPECT_EQ(late.fault, Fault::timeout);
  EXPECT_TRUE(late.maybe_executed);
  // Its deadline is past, and its reply was there long before.
  EXPECT_TRUE(first.wait(TimePoint::max()));
  EXPECT_EQ(text(first.answer()), "1");
  EXPECT_EQ(here.counters().made, 1u) << "the connection did its work";
  other->resume();
}

TEST_F(StartedRequest, WithoutAServerItSaysSo) {
  Link link(options(*one));
  one->kill();
  const Request get{"GET", "k"};
  Link::Started started(link, get, Purpose::read, Lane::shared);
  started.send();
  EXPECT_TRUE(started.wait(TimePoint::max()));
  EXPECT_EQ(started.answer().fault, Fault::no_connection);
}

}  // namespace
}  // namespace dsta::cache::detail
