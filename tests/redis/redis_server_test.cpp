#include "redis_server.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fault_proxy.hpp"
#include "kind_of_failure.hpp"
#include "wire_client.hpp"

namespace dsta::cache::testing_support {
namespace {

using namespace std::chrono_literals;
using Kind = NetError::Kind;

struct RedisServerTest : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  }
};

TEST_F(RedisServerTest, AnswersByTcpAndByItsUnixSocket) {
  RedisServer server;
  EXPECT_EQ(WireClient::tcp(server.port()).call({"SET", "k", "v"}), "OK");
  EXPECT_EQ(WireClient::unix_socket(server.unix_path()).call({"GET", "k"}), "v");
  EXPECT_EQ(server.command({"GET", "k"}), "v");
  EXPECT_EQ(server.command({"GET", "absent"}), "(nil)");
  EXPECT_EQ(server.command({"MGET", "k", "absent"}), "v\n(nil)");
  EXPECT_EQ(server.url(), "redis://127.0.0.1:" + std::to_string(server.port()));
}

TEST_F(RedisServerTest, OneThatWasChosenIsTheOneThatRuns) {
  const char* const before = std::getenv("DSTA_CACHE_REDIS_SERVER");
  const std::string chosen = before ? before : "";
  ::setenv("DSTA_CACHE_REDIS_SERVER", "/nowhere/valkey-server", 1);
  std::string said;
  try {
    RedisServer::available();
  } catch (const std::runtime_error& error) {
    said = error.what();
  }
  before ? ::setenv("DSTA_CACHE_REDIS_SERVER", chosen.c_str(), 1) : ::unsetenv("DSTA_CACHE_REDIS_SERVER");
  EXPECT_NE(said.find("/nowhere/valkey-server"), std::string::npos) << said;
  EXPECT_TRUE(RedisServer::available());
}

TEST_F(RedisServerTest, TwoServersShareNothing) {
  RedisServer one, other;
  EXPECT_NE(one.port(), other.port());
  one.command({"SET", "k", "v"});
  EXPECT_EQ(other.command({"GET", "k"}), "(nil)");
}

TEST_F(RedisServerTest, KeepsNothingOnDisk) {
  RedisServer server;
  EXPECT_EQ(server.command({"CONFIG", "GET", "save"}), "save\n");
  EXPECT_EQ(server.command({"CONFIG", "GET", "appendonly"}), "appendonly\nno");
}

TEST_F(RedisServerTest, StartsAgainOnTheSamePortAfterStopOrKill) {
  RedisServer server;
  const auto port = server.port();
  for (const bool crash : {false, true}) {
    server.command({"SET", "k", "v"});
    WireClient open = WireClient::tcp(port);
    EXPECT_EQ(open.call({"PING"}), "PONG");
    crash ? server.kill() : server.stop();
    EXPECT_FALSE(server.running());
    EXPECT_EQ(kind_of_failure([&] { WireClient::tcp(port); }), Kind::refused);
    const Kind end = kind_of_failure([&] { open.read_reply(); });
    EXPECT_TRUE(end == Kind::closed || end == Kind::reset);
    server.start();
    EXPECT_EQ(server.port(), port);
    EXPECT_EQ(WireClient::tcp(port).call({"GET", "k"}), "(nil)");
  }
}

TEST_F(RedisServerTest, PausedItAcceptsAndAnswersOnlyWhenResumed) {
  RedisServer server;
  server.pause();
  WireClient client = WireClient::tcp(server.port(), 100ms);
  EXPECT_EQ(kind_of_failure([&] { client.call({"PING"}); }), Kind::timeout);
  server.resume();
  client.set_patience(10s);
  EXPECT_EQ(client.read_reply(), "+PONG\r\n");
}

TEST_F(RedisServerTest, StopsWhenPaused) {
  RedisServer server;
  server.pause();
  server.stop();
  EXPECT_FALSE(server.running());
  server.start();
  server.pause();  // and is destroyed so
}

TEST_F(RedisServerTest, OutlivesTheThreadThatStartedIt) {
  std::unique_ptr<RedisServer> server;
  std::thread([&] { server = std::make_unique<RedisServer>(); }).join();
  EXPECT_EQ(server->command({"PING"}), "PONG");
}

TEST_F(RedisServerTest, StartsWhileOtherThreadsStartTheirs) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      RedisServer server;
      EXPECT_EQ(server.command({"PING"}), "PONG");
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(RedisServerTest, DiesWithTheTest) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t test = ::fork();
  if (test == 0) {
    RedisServer server;
    const std::string sent = std::to_string(server.port()) + ' ' + server.unix_path();
    const bool written = ::write(ends[1], sent.data(), sent.size()) > 0;
    ::kill(::getpid(), written ? SIGKILL : SIGTERM);
  }
  char sent[200] = {};
  const bool received = ::read(ends[0], sent, sizeof sent - 1) > 0;
  ::waitpid(test, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  ASSERT_TRUE(received);
  std::istringstream words(sent);
  std::uint16_t port = 0;
  std::filesystem::path socket;
  words >> port >> socket;
  Kind end = Kind::other;
  for (int i = 0; i < 1000 && end != Kind::refused; ++i) {
    std::this_thread::sleep_for(10ms);
    try {
      WireClient::tcp(port);
    } catch (const NetError& error) {
      end = error.kind;
    }
  }
  EXPECT_EQ(end, Kind::refused);
  std::filesystem::remove_all(socket.parent_path());
}

TEST_F(RedisServerTest, AsksForThePasswordAndKnowsItsUsers) {
  RedisServer server({.password = "s3cret", .users = {"alice on >wonder ~app:* +@all"}});
  WireClient client = WireClient::tcp(server.port());
  EXPECT_EQ(client.call({"GET", "k"}), "-NOAUTH Authentication required.");
  EXPECT_EQ(client.call({"AUTH", "s3cret"}), "OK");
  EXPECT_EQ(client.call({"SET", "k", "v"}), "OK");
  EXPECT_EQ(client.call({"AUTH", "alice", "wonder"}), "OK");
  EXPECT_EQ(client.call({"GET", "app:k"}), "(nil)");
  EXPECT_EQ(client.call({"GET", "k"}).substr(0, 7), "-NOPERM");
  EXPECT_EQ(server.command({"GET", "k"}), "v");
  EXPECT_EQ(server.url(), "redis://:s3cret@127.0.0.1:" + std::to_string(server.port()));
}

TEST_F(RedisServerTest, ObeysMoreLinesOfConfiguration) {
  RedisServer server({.users = {"default off"}, .config = {"maxmemory 2mb", "databases 3"}});
  EXPECT_EQ(server.command({"CONFIG", "GET", "maxmemory"}), "maxmemory\n2097152");
  EXPECT_EQ(server.command({"CONFIG", "GET", "databases"}), "databases\n3");
}

TEST_F(RedisServerTest, SaysWhyItDoesNotStart) {
  try {
    RedisServer server({.config = {"no-such-option yes"}});
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("no-such-option"), std::string::npos) << error.what();
  }
}

TEST_F(RedisServerTest, SpeaksTls) {
  std::string directory = "/tmp/dsta-certificate-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string key = directory + "/key.pem", certificate = directory + "/certificate.pem";
  const std::string make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout " + key +
                           " -out " + certificate + " 2>/dev/null";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "no openssl on this machine";
  RedisServer server({.tls = RedisTls{certificate, key, certificate}});
  EXPECT_EQ(server.url(), "rediss://127.0.0.1:" + std::to_string(server.port()));
  EXPECT_NE(kind_of_failure([&] { WireClient::tcp(server.port()).call({"PING"}); }), Kind::timeout);
  const auto pong = [&](std::uint16_t port) {
    const std::string ask =
        "printf 'PING\\r\\nQUIT\\r\\n' | timeout 20 openssl s_client -quiet -verify_return_error -CAfile " +
        certificate + " -connect 127.0.0.1:" + std::to_string(port) + " 2>/dev/null | grep -q PONG";
    return std::system(ask.c_str()) == 0;
  };
  EXPECT_TRUE(pong(server.port()));
  FaultProxy proxy(server.port());
  EXPECT_TRUE(pong(proxy.port()));
  proxy.set(Fault::drip(100, std::chrono::milliseconds(1), Fault::Way::both));
  EXPECT_TRUE(pong(proxy.port()));
  proxy.set(Fault::reset_before());
  EXPECT_FALSE(pong(proxy.port()));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace dsta::cache::testing_support
