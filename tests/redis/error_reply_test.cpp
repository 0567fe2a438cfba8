// Errors of a real server: each is an answer with its code, and the connection goes on.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "l2/client/link.hpp"
#include "net.hpp"
#include "redis_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::NetError;
using testing_support::RedisOptions;
using testing_support::RedisServer;
using testing_support::ReservedPort;

struct ErrorReply : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  static LinkOptions to(const RedisServer& server) {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = server.port();
    options.operation_timeout = options.connect_timeout = 5s;
    options.log.level = LogLevel::off;
    return options;
  }
  /// The request is answered by this error and nothing else happens.
  static void expect_error(Link& link, const char* code, const Request& request, Purpose purpose) {
    const Answer answer = link.run(request, purpose);
    ASSERT_TRUE(answer) << code;
    ASSERT_EQ(answer.replies.size(), request.commands()) << code;
    EXPECT_EQ(answer.replies[0].error_code(), code) << answer.replies[0].text;
    EXPECT_EQ(link.counters().attempts, 1u) << code;
  }
  /// This error is the last answer: from now on the server is probed, by attempts that are counted.
  static void expect_given_up(Link& link, const char* code) {
    const Answer last = link.run(Request{"GET", "k"}, Purpose::read);
    ASSERT_TRUE(last) << code;
    EXPECT_EQ(last.replies[0].error_code(), code) << last.replies[0].text;
    EXPECT_FALSE(link.up()) << code;
  }
  static void expect_goes_on(Link& link) {
    const Answer answer = link.run(Request{"ECHO", "still here"}, Purpose::read);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer.replies[0].text, "still here");
    EXPECT_EQ(link.counters().attempts, 1u);
    EXPECT_EQ(link.counters().breaker_changes, 0u);
    EXPECT_TRUE(link.up());
  }
};

TEST_F(ErrorReply, WrongTypeAndNoScriptComeThrough) {
  const RedisServer server;
  Link link(to(server));
  ASSERT_TRUE(link.run(Request{"SET", "k", "text"}, Purpose::write));
  for (int i = 0; i < 5; ++i) {
    expect_error(link, "WRONGTYPE", Request{"LPUSH", "k", "x"}, Purpose::write);
    expect_error(link, "WRONGTYPE", Request{"LRANGE", "k", "0", "1"}, Purpose::read);
    expect_error(link, "NOSCRIPT", Request{"EVALSHA", std::string(40, 'f'), "0"}, Purpose::write);
  }
  expect_goes_on(link);
}

TEST_F(ErrorReply, WrongPasswordAndMissingLoginComeThrough) {
  RedisOptions asking;
  asking.password = "sesame";
  const RedisServer server(asking);
  LinkOptions options = to(server);
  options.password = "sesame";
  Link link(options);
  expect_error(link, "WRONGPASS", Request{"AUTH", "nobody", "x"}, Purpose::read);
  expect_goes_on(link);
  ASSERT_TRUE(link.run(Request{"RESET"}, Purpose::read));  // the login is forgotten
  expect_error(link, "NOAUTH", Request{"GET", "k"}, Purpose::read);
  const Answer again = link.run(Request{"AUTH", "sesame"}, Purpose::read);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again.replies[0].is_ok());
  expect_goes_on(link);
}

TEST_F(ErrorReply, WhatAUserMayNotDoComesThrough) {
  RedisOptions limited;
  limited.users = {"alice on >sesame ~app:* +@all -flushall"};
  const RedisServer server(limited);
  LinkOptions options = to(server);
  options.user = "alice";
  options.password = "sesame";
  Link link(options);
  for (int i = 0; i < 5; ++i) {
    expect_error(link, "NOPERM", Request{"GET", "other"}, Purpose::read);
    expect_error(link, "NOPERM", Request{"SET", "other", "v"}, Purpose::write);
    expect_error(link, "NOPERM", Request{"FLUSHALL"}, Purpose::write);
  }
  EXPECT_TRUE(link.run(Request{"SET", "app:k", "v"}, Purpose::write).replies.at(0).is_ok());
  expect_goes_on(link);
}

TEST_F(ErrorReply, AFullServerComesThroughAndReadsGoOn) {
  RedisOptions small;
  small.config = {"maxmemory 1", "maxmemory-policy noeviction"};
  const RedisServer server(small);
  Link link(to(server));
  for (int i = 0; i < 5; ++i) {
    expect_error(link, "OOM", Request{"SET", "k", "v"}, Purpose::write);
    EXPECT_TRUE(link.run(Request{"GET", "k"}, Purpose::read).replies.at(0).is(Reply::Kind::nil));
  }
  expect_goes_on(link);
}

TEST_F(ErrorReply, AServerThatCannotSaveComesThroughAndReadsGoOn) {
  RedisOptions unsaved;
  unsaved.config = {"dir /proc", "save 3600 1000000", "stop-writes-on-bgsave-error yes"};
  const RedisServer server(unsaved);
  Link link(to(server));
  server.command({"BGSAVE"});
  for (int i = 0; i < 1000 && server.command({"INFO", "persistence"}).find("bgsave_status:err") == std::string::npos;
       ++i) {
    std::this_thread::sleep_for(5ms);
  }
  for (int i = 0; i < 5; ++i) expect_error(link, "MISCONF", Request{"SET", "k", "v"}, Purpose::write);
  EXPECT_TRUE(link.run(Request{"GET", "k"}, Purpose::read).replies.at(0).is(Reply::Kind::nil));
  expect_goes_on(link);
  Link late(to(server));
  EXPECT_TRUE(late.run(Request{"GET", "k"}, Purpose::read)) << "such a server can be connected to";
}

TEST_F(ErrorReply, AReplicaComesThroughAndReadsGoOn) {
  const ReservedPort nobody;
  RedisOptions replica;
  replica.config = {"replicaof 127.0.0.1 " + std::to_string(nobody.port())};
  const RedisServer server(replica);
  Link link(to(server));
  for (int i = 0; i < 5; ++i) expect_error(link, "READONLY", Request{"SET", "k", "v"}, Purpose::write);
  EXPECT_TRUE(link.run(Request{"GET", "k"}, Purpose::read).replies.at(0).is(Reply::Kind::nil));
  expect_goes_on(link);
}

TEST_F(ErrorReply, AReplicaWithoutMasterIsAnAnswerThreeTimes) {
  const ReservedPort nobody;
  const RedisServer server;
  Link link(to(server));
  ASSERT_TRUE(link.run(Request{"SET", "k", "v"}, Purpose::write));
  server.command({"CONFIG", "SET", "replica-serve-stale-data", "no"});
  server.command({"REPLICAOF", "127.0.0.1", std::to_string(nobody.port())});
  for (int i = 0; i < 2; ++i) expect_error(link, "MASTERDOWN", Request{"GET", "k"}, Purpose::read);
  expect_given_up(link, "MASTERDOWN");
  server.command({"REPLICAOF", "NO", "ONE"});
  while (!link.run(Request{"GET", "k"}, Purpose::read)) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(link.up());
}

TEST_F(ErrorReply, AServerBusyWithAScriptIsAnAnswerThreeTimes) {
  RedisOptions impatient;
  impatient.config = {"busy-reply-threshold 20"};
  const RedisServer server(impatient);
  Link link(to(server));
  ASSERT_TRUE(link.run(Request{"SET", "k", "v"}, Purpose::write));
  std::jthread busy([&] {
    try {
      server.command({"EVAL", "while true do end", "0"});
    } catch (const NetError&) {
      // It is killed below.
    }
  });
  while (server.command({"PING"}) == "PONG") std::this_thread::sleep_for(1ms);
  expect_error(link, "BUSY", Request{"GET", "k"}, Purpose::read);
  expect_error(link, "BUSY", Request{"SET", "k", "w"}, Purpose::write);
  expect_given_up(link, "BUSY");
  server.command({"SCRIPT", "KILL"});
  for (;;) {
    const Answer answer = link.run(Request{"GET", "k"}, Purpose::read);
    if (answer) {
      EXPECT_EQ(answer.replies[0].text, "v") << "the write that was refused was not executed";
      break;
    }
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(link.up());
}

}  // namespace
}  // namespace dsta::cache::detail
