// The way to a real server: many threads on one connection, deadlines, losing the server and getting it back.
#include "l2/client/link.hpp"

#include <gtest/gtest.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "redis_server.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::RedisOptions;
using testing_support::RedisServer;
using testing_support::scaled;

struct LinkTest : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  LinkOptions to(const RedisServer& server, Duration patience = 2s) {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = server.port();
    options.operation_timeout = options.connect_timeout = patience;
    options.log.level = LogLevel::debug;
    options.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(log_mutex);
      log += message;
      log += '\n';
    };
    return options;
  }
  std::string logged() {
    const std::lock_guard lock(log_mutex);
    return log;
  }
  static std::string text(const Answer& answer) { return answer ? answer.replies.at(0).text : "(fault)"; }
  static std::size_t connections(const RedisServer& server) {
    const std::string list = server.command({"CLIENT", "LIST"});
    std::size_t count = 0;
    for (std::size_t at = list.find("id="); at != std::string::npos; at = list.find("\nid=", at + 1)) ++count;
    return count - 1;  // without the one that asks
  }

  std::mutex log_mutex;
  std::string log;  // under log_mutex
};

TEST_F(LinkTest, SixtyFourThreadsEachGetTheirOwnReplies) {
  const RedisServer server;
  Link link(to(server));
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 64; ++t) {
    threads.emplace_back([&, t] {
      const std::string key = "key " + std::to_string(t), value(static_cast<std::size_t>(t) * 37, static_cast<char>(t));
      if (text(link.run(Request{"SET", key, value}, Purpose::write)) != "OK") ++wrong;
      for (std::size_t i = 0; i < scaled(500); ++i) {
        if (text(link.run(Request{"GET", key}, Purpose::read)) != value) ++wrong;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(connections(server), 1u);
}

TEST_F(LinkTest, CommandsOfOneRequestAreAnsweredInOrder) {
  const RedisServer server;
  Link link(to(server));
  Request request;
  request.add({"SET", "a", "1"}).add({"INCR", "a"}).add({"GET", "a"}).add({"GET", "none"}).add({"MGET", "a", "none"});
  const Answer answer = link.run(request, Purpose::write);
  ASSERT_EQ(answer.replies.size(), 5u);
  EXPECT_TRUE(answer.replies[0].is_ok());
  EXPECT_EQ(answer.replies[1].integer, 2);
  EXPECT_EQ(answer.replies[2].text, "2");
  EXPECT_TRUE(answer.replies[3].is(Reply::Kind::nil));
  EXPECT_EQ(answer.replies[4].elements.at(0).text, "2");
}

TEST_F(LinkTest, AnErrorOfTheServerIsAReplyAndTheConnectionGoesOn) {
  const RedisServer server;
  Link link(to(server));
  ASSERT_TRUE(link.run(Request{"SET", "a", "text"}, Purpose::write));
  const Answer answer = link.run(Request{"LPUSH", "a", "x"}, Purpose::write);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer.replies[0].error_code(), "WRONGTYPE");
  EXPECT_EQ(text(link.run(Request{"GET", "a"}, Purpose::read)), "text");
  EXPECT_EQ(connections(server), 1u);
}

TEST_F(LinkTest, ValuesOfManyMegabytesGoBothWays) {
  const RedisServer server;
  Link link(to(server, 20s));
  const std::string value(20'000'000, 'v');
  ASSERT_EQ(text(link.run(Request{"SET", "big", value}, Purpose::write)), "OK");
  EXPECT_EQ(text(link.run(Request{"GET", "big"}, Purpose::read)), value);
}

TEST_F(LinkTest, ATooLargeReplyEndsOnlyTheConnection) {
  const RedisServer server;
  LinkOptions options = to(server);
  options.limits.bytes = 1'000'000;
  Link link(options);
  ASSERT_TRUE(link.run(Request{"SET", "big", std::string(1'000'001, 'v')}, Purpose::write));
  EXPECT_EQ(link.run(Request{"GET", "big"}, Purpose::read).fault, Fault::protocol);
}

TEST_F(LinkTest, LoginDatabaseAndSocketPathAreUsed) {
  RedisOptions asking;
  asking.users = {"alice on >sesame ~* +@all", "default off"};
  const RedisServer server(asking);
  LinkOptions options = to(server);
  options.user = "alice";
  options.password = "sesame";
  options.database = 3;
  {
    Link link(options);
    EXPECT_EQ(text(link.run(Request{"SET", "k", "v"}, Purpose::write)), "OK");
  }
  options.address.host.clear();
  options.address.socket_path = server.unix_path();
  Link link(options);
  EXPECT_EQ(text(link.run(Request{"GET", "k"}, Purpose::read)), "v");
  options.database = 0;
  Link other(options);
  EXPECT_TRUE(other.run(Request{"GET", "k"}, Purpose::read).replies.at(0).is(Reply::Kind::nil));
}

TEST_F(LinkTest, AWrongPasswordIsNoConnectionAndIsNotLogged) {
  RedisOptions asking;
  asking.password = "sesame";
  const RedisServer server(asking);
  LinkOptions options = to(server);
  options.password = "canary-4711";
  {
    Link link(options);
    EXPECT_EQ(link.run(Request{"GET", "k"}, Purpose::read).fault, Fault::no_connection);
    EXPECT_FALSE(link.up());
  }
  EXPECT_NE(logged().find("WRONGPASS"), std::string::npos) << logged();
  EXPECT_EQ(logged().find("canary"), std::string::npos) << logged();
}

TEST_F(LinkTest, WithoutAServerRequestsFailAtOnceUntilItIsBack) {
  RedisServer server;
  Link link(to(server));
  ASSERT_TRUE(link.run(Request{"SET", "k", "v"}, Purpose::write));
  server.kill();
  while (link.up()) link.run(Request{"GET", "k"}, Purpose::read);
  EXPECT_EQ(link.run(Request{"GET", "k"}, Purpose::read).fault, Fault::no_connection);
  server.start();
  while (!link.up()) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(link.run(Request{"SET", "k", "again"}, Purpose::write));
  EXPECT_EQ(text(link.run(Request{"GET", "k"}, Purpose::read)), "again");
}

TEST_F(LinkTest, AHungServerCostsNobodyMoreThanTheDeadline) {
  RedisServer server;
  Link link(to(server, 200ms));
  ASSERT_TRUE(link.run(Request{"SET", "k", "v"}, Purpose::write));
  server.pause();
  std::vector<std::jthread> threads;
  std::atomic<int> failed = 0;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] { failed += link.run(Request{"GET", "k"}, Purpose::read) ? 0 : 1; });
  }
  threads.clear();  // they all come back
  EXPECT_EQ(failed, 16);
  server.resume();
  while (!link.run(Request{"GET", "k"}, Purpose::read)) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(text(link.run(Request{"GET", "k"}, Purpose::read)), "v") << "and no reply of before is taken for it";
}

TEST_F(LinkTest, AClosedIdleConnectionIsReplacedUnnoticed) {
  const RedisServer server;
  Link link(to(server));
  ASSERT_TRUE(link.run(Request{"SET", "k", "v"}, Purpose::write));
  server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_EQ(text(link.run(Request{"SET", "k", "w"}, Purpose::write)), "OK") << "no byte was sent: it may be repeated";
}

TEST_F(LinkTest, ParentAndChildOfAForkBothGoOn) {
  const RedisServer server;
  Link link(to(server));
  ASSERT_TRUE(link.run(Request{"SET", "n", "0"}, Purpose::write));
  const int rounds = static_cast<int>(scaled(2'000));
  const auto work = [&](const char* who) {
    int wrong = 0;
    for (int i = 0; i < rounds; ++i) {
      const std::string value = who + std::to_string(i);
      if (text(link.run(Request{"SET", who, value}, Purpose::write)) != "OK") ++wrong;
      if (text(link.run(Request{"GET", who}, Purpose::read)) != value) ++wrong;
    }
    return wrong;
  };
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(work("child") == 0 ? 0 : 1);
  EXPECT_EQ(work("parent"), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(LinkTest, SignalsNeitherBreakNorLengthenAnOperation) {
  RedisServer server;
  Link link(to(server, 300ms));
  struct sigaction ignore {};
  ignore.sa_handler = [](int) {};  // without SA_RESTART: system calls are interrupted
  struct sigaction before {};
  ::sigaction(SIGALRM, &ignore, &before);
  itimerval every{{0, 2'000}, {0, 2'000}};
  ::setitimer(ITIMER_REAL, &every, nullptr);
  int wrong = 0;
  for (int i = 0; i < 300; ++i) wrong += link.run(Request{"SET", "k", "v"}, Purpose::write) ? 0 : 1;
  server.pause();
  const Answer late = link.run(Request{"GET", "k"}, Purpose::read);  // it comes back although signals keep coming
  itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  server.resume();
  EXPECT_EQ(wrong, 0);
  EXPECT_NE(late.fault, Fault::none);
}

}  // namespace
}  // namespace dsta::cache::detail
