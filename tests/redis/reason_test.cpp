// What is said when something does not come about: the command, and what the server said to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <dsta/cache/health.hpp>

#include "certificates.hpp"
#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "l2/client/reason.hpp"
#include "net.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using ::testing::HasSubstr;
using ::testing::Not;

struct Reasons : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  }
  static std::string at(const RedisServer& server, const std::string& user, const std::string& rest = "") {
    return "redis://" + user + "127.0.0.1:" + std::to_string(server.port()) + rest;
  }
  /// A write and a health check by a new manager say this, the write more than once.
  static void expect(const std::string& url, const std::string& said,
                     SetResult::Status status = SetResult::not_stored) {
    SCOPED_TRACE(url);
    CacheManager cache(over_redis(url, false, 500ms));
    for (int i = 0; i < 3; ++i) {
      const SetResult result = cache.set("k", "canary-value", {.ttl = 60s});
      EXPECT_EQ(result, status);
      EXPECT_THAT(std::string(result.reason()), HasSubstr(said));
      EXPECT_THAT(std::string(result.reason()), Not(HasSubstr("canary")));
    }
    const Health health = check_health(cache);
    EXPECT_FALSE(health.healthy);
    EXPECT_THAT(health.error, HasSubstr(said));
    EXPECT_THAT(health.error, Not(HasSubstr("canary")));
  }
};

TEST_F(Reasons, OfALoginThatIsRefusedNameItsCommandAndTheServersWord) {
  RedisOptions asking;
  asking.password = "canary-password";
  const RedisServer server(asking);
  expect(at(server, ":canary-other@"), "AUTH: the server refused the password (WRONGPASS)");
  expect(at(server, "canary-user:canary-other@"), "AUTH: the server refused the password (WRONGPASS)");
  expect(at(server, ""), "PING: the server asks for a password (NOAUTH)");
  expect(at(server, ":canary-password@", "/99"), "SELECT: the database is out of range (ERR DB index is out of range)");
  const RedisServer open;
  expect(at(open, ":canary-password@"), "AUTH: a password is given and the server has none set (ERR)");
}

TEST_F(Reasons, OfAMissingRightNameTheCommand) {
  const RedisServer server;
  const auto with = [&](const std::string& rights) {
    server.command({"ACL", "DELUSER", "app"});
    ASSERT_EQ(server.command({"ACL", "SETUSER", "app", "on", ">pw", "resetkeys", "~dsta:*", "+@all"}), "OK");
    ASSERT_EQ(server.command({"ACL", "SETUSER", "app", rights}), "OK");
  };
  with("-SET");
  server.command({"FLUSHALL"});
  expect(at(server, "app:pw@"), "the user may not run what the script needs (ERR)");
  with("resetkeys");
  expect(at(server, "app:pw@"), "the user may not use the key (NOPERM)");
}

TEST_F(Reasons, AreNotNeededForRightsThatCanBeDoneWithout) {
  const RedisServer server;
  for (const std::string command : {"EVALSHA", "EVAL", "@scripting", "TIME", "GETRANGE", "ECHO", "PING"}) {
    SCOPED_TRACE(command);
    server.command({"FLUSHALL"});
    server.command({"ACL", "DELUSER", "app"});
    ASSERT_EQ(server.command({"ACL", "SETUSER", "app", "on", ">pw", "~dsta:*", "+@all", "-" + command}), "OK");
    CacheManager cache(over_redis(at(server, "app:pw@"), false, 500ms));
    EXPECT_EQ(cache.set("k", 1, {.ttl = 60s, .tags = {"t"}}), SetResult::stored);
    EXPECT_TRUE(check_health(cache).healthy);
    int loads = 0;
    const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [&](int x) { return ++loads, x; });
    EXPECT_EQ(f(1) + f(1), 2);
    EXPECT_EQ(loads, 1) << "what was loaded was not stored";
  }
}

TEST_F(Reasons, OfReadsAndRemovalsThatAreRefusedAreInTheHealth) {
  const RedisServer server;
  for (const std::string command : {"MGET", "UNLINK"}) {
    server.command({"ACL", "DELUSER", "app"});
    ASSERT_EQ(server.command({"ACL", "SETUSER", "app", "on", ">pw", "~dsta:*", "+@all", "-" + command}), "OK");
    CacheManager cache(over_redis(at(server, "app:pw@"), false, 500ms));
    const Health health = check_health(cache);
    EXPECT_FALSE(health.healthy);
    EXPECT_THAT(health.error, HasSubstr(command + ": the user may not run it (NOPERM)"));
  }
}

TEST_F(Reasons, OfAServerThatRefusesWritesNameThem) {
  RedisServer server;
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  expect(at(server, ""), "the server is out of memory (OOM)");
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  server.command({"CONFIG", "SET", "min-replicas-to-write", "1"});
  expect(at(server, ""), "the server has too few replicas to take writes (NOREPLICAS)");
}

TEST_F(Reasons, OfAConnectionThatDoesNotComeAboutSayWhichStepFailed) {
  const ReservedPort nobody;
  expect("redis://127.0.0.1:" + std::to_string(nobody.port()), "Connection refused");
  expect("redis://nobody.invalid:6379", "the server is out of reach (");
  expect("unix:///nowhere/redis.sock", "No such file or directory");
  const RedisServer server;
  expect("rediss://127.0.0.1:" + std::to_string(server.port()), "TLS:");
  FaultProxy proxy(server.port());
  proxy.set(Fault::never_answer());
  expect(proxy.url(), "did not come in time");
}

TEST_F(Reasons, OfAServerThatStopsAnsweringNameWhatItWasAsked) {
  RedisServer server;
  CacheManager cache(over_redis(at(server, ""), false, 300ms));
  ASSERT_TRUE(cache.set("k", 1));
  server.pause();
  const SetResult result = cache.set("k", 2);
  EXPECT_EQ(result, SetResult::unknown);
  EXPECT_THAT(std::string(result.reason()), HasSubstr("SET: the server did not answer in time"));
  server.resume();
}

TEST_F(Reasons, AHealthCheckTakesOneDeadlineAtMost) {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto check = [&](const char* state, const std::function<void()>& then) {
    SCOPED_TRACE(state);
    proxy.clear();
    CacheManager cache(over_redis(proxy.url(), false, 400ms));
    ASSERT_TRUE(cache.set("k", 1));
    ASSERT_TRUE(check_health(cache).healthy);
    then();
    const auto begun = std::chrono::steady_clock::now();
    const Health health = check_health(cache);
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_FALSE(health.healthy);
    EXPECT_THAT(health.error, HasSubstr(": "));
    EXPECT_LT(took, 400ms + 150ms);
    EXPECT_LE(health.latency, took);
  };
  check("black hole", [&] { proxy.set(Fault::blackhole()); });
  check("each step is slow", [&] { proxy.set(Fault::delay(170ms)); });
  check("reads are never answered", [&] { proxy.set(Fault::swallow_reply().on("GET")); });
  check("removals are never answered", [&] { proxy.set(Fault::swallow_reply().on("UNLINK")); });
  check("nobody answers who connects", [&] {
    proxy.set(Fault::never_answer());
    proxy.reset_connections();
  });
  check("paused", [&] { server.pause(); });
  server.resume();
}

TEST(ReasonText, IsKeptOnceAndNeverHoldsWhatIsNotKnown) {
  using namespace detail;
  Reply error;
  error.kind = Reply::Kind::error;
  error.text = "WRONGPASS canary-password";
  const std::string_view once = reason_of("AUTH", error);
  EXPECT_EQ(once, "AUTH: the server refused the password (WRONGPASS)");
  EXPECT_EQ(once.data(), reason_of("AUTH", error).data());
  for (const char* text : {"CANARY x", "canary", "ERR canary", "-canary", "", "BUSYKEY canary", "NOPERMcanary"}) {
    error.text = text;
    EXPECT_EQ(std::string(reason_of("SET", error)).find("anary"), std::string::npos) << text;
    EXPECT_TRUE(reason_of("SET", error).starts_with("SET: ")) << text;
  }
  error.text = "BUSYKEY x";
  EXPECT_EQ(std::string(reason_of("SET", error)).find("busy"), std::string::npos) << "another word";
}

TEST(ReasonText, IsBounded) {
  using namespace detail;
  for (std::size_t i = 0; i < 2 * kMostReasons; ++i) keep_reason("reason " + std::to_string(i));
  EXPECT_EQ(keep_reason("one more"), keep_reason("and another"));
  EXPECT_FALSE(keep_reason("one more").empty());
  EXPECT_EQ(keep_reason("reason 0"), "reason 0");
}

TEST(ReasonText, ARequestKnowsItsCommands) {
  using detail::Request;
  Request request;
  request.add({"GET", "k\r\n*1\r\n$4\r\nEVIL"}).add({"UNLINK", ""}).add({"PING"});
  EXPECT_EQ(request.command(0), "GET");
  EXPECT_EQ(request.command(1), "UNLINK");
  EXPECT_EQ(request.command(2), "PING");
  EXPECT_EQ(request.command(3), "");
}

}  // namespace
}  // namespace dsta::cache
