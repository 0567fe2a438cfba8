// Encrypted connections: whom they trust, and that nothing is said to anybody else.
#include "l2/net/tls.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include "certificates.hpp"
#include "error_of.hpp"
#include "l2/client/link_options.hpp"
#include "redis_server.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::Certificates;
using testing_support::RedisOptions;
using testing_support::RedisServer;
using testing_support::RedisTls;

struct TlsTest : ::testing::Test {
  static void SetUpTestSuite() { certificates = new Certificates; }
  static void TearDownTestSuite() {
    delete certificates;
    certificates = nullptr;
  }
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    if (!certificates->made()) GTEST_SKIP() << "there is no openssl tool to make certificates";
    try {
      TlsClient{TlsOptions{}};
    } catch (const ConfigError& e) {
      GTEST_SKIP() << e.what();
    }
  }
  static RedisOptions serving(const std::string& name, bool ask_clients = false) {
    RedisOptions options;
    options.tls = RedisTls{certificates->certificate(name), certificates->key(name), certificates->certificate("ca"),
                           ask_clients};
    return options;
  }
  static TlsOptions trusting(const std::string& authority, const std::string& server_name = {}) {
    TlsOptions options;
    options.ca_file = certificates->certificate(authority);
    options.server_name = server_name;
    return options;
  }
  static TlsOptions as(const std::string& client, TlsOptions options) {
    options.cert_file = certificates->certificate(client);
    options.key_file = certificates->key(client);
    return options;
  }
  /// What a GET over a new link comes to.
  Fault ask(std::uint16_t port, const TlsOptions& tls) {
    Endpoint endpoint{.transport = Endpoint::Transport::tls, .host = "127.0.0.1", .port = port};
    endpoint.password = password;
    ManagerOptions options;
    options.tls = tls;
    options.pool.socket_timeout = options.pool.connect_timeout = 3s;
    options.log.level = LogLevel::debug;
    options.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(log_mutex);
      log += message;
      log += '\n';
    };
    Link link(link_options(endpoint, options));
    return link.run(Request{"GET", "k"}, Purpose::read).fault;
  }

  static Certificates* certificates;
  std::string password;
  std::mutex log_mutex;
  std::string log;  // under log_mutex
};
Certificates* TlsTest::certificates = nullptr;

TEST_F(TlsTest, ATrustedServerOfTheRightNameIsAccepted) {
  const RedisServer server(serving("server"));
  EXPECT_EQ(ask(server.port(), trusting("ca")), Fault::none) << log;
  EXPECT_EQ(ask(server.port(), trusting("ca", "cache.test")), Fault::none) << log;
}

TEST_F(TlsTest, RefusesWrongAuthorityNameAndDateAndLogsWhich) {
  const RedisServer server(serving("server"));
  password = "canary-4711";
  EXPECT_EQ(ask(server.port(), trusting("foreign")), Fault::no_connection);
  EXPECT_NE(log.find("certificate"), std::string::npos) << log;
  EXPECT_EQ(ask(server.port(), trusting("ca", "other.test")), Fault::no_connection);
  EXPECT_NE(log.find("ostname mismatch"), std::string::npos) << log;
  const RedisServer elsewhere(serving("elsewhere"));
  EXPECT_EQ(ask(elsewhere.port(), trusting("ca")), Fault::no_connection);
  const RedisServer expired(serving("expired"));
  EXPECT_EQ(ask(expired.port(), trusting("ca")), Fault::no_connection);
  EXPECT_NE(log.find("expired"), std::string::npos) << log;
  EXPECT_EQ(log.find("canary"), std::string::npos) << log;
}

TEST_F(TlsTest, WithoutVerificationWhoeverAnswersIsTrusted) {
  const RedisServer server(serving("expired"));
  TlsOptions options = trusting("foreign");
  options.verify = false;
  EXPECT_EQ(ask(server.port(), options), Fault::none) << log;
}

TEST_F(TlsTest, AServerThatAsksForACertificateWantsItsAuthoritys) {
  const RedisServer server(serving("server", true));
  EXPECT_EQ(ask(server.port(), as("client", trusting("ca"))), Fault::none) << log;
  EXPECT_EQ(ask(server.port(), trusting("ca")), Fault::no_connection) << "none";
  EXPECT_EQ(ask(server.port(), as("stranger", trusting("ca"))), Fault::no_connection) << "a foreign one";
}

TEST_F(TlsTest, APortWithoutTlsIsRefusedByTheDeadline) {
  const RedisServer server;
  EXPECT_EQ(ask(server.port(), trusting("ca")), Fault::no_connection);
}

TEST_F(TlsTest, ManyThreadsShareAnEncryptedConnection) {
  const RedisServer server(serving("server"));
  ManagerOptions options;
  options.tls = trusting("ca");
  options.pool.socket_timeout = 10s;
  Link link(link_options({.transport = Endpoint::Transport::tls, .host = "127.0.0.1", .port = server.port()}, options));
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      const std::string key = "k" + std::to_string(t), value(static_cast<std::size_t>(t) * 3000, 'v');
      for (std::size_t i = 0; i < testing_support::scaled(100); ++i) {
        const Answer set = link.run(Request{"SET", key, value}, Purpose::write);
        const Answer got = link.run(Request{"GET", key}, Purpose::read);
        if (!set || !got || got.replies[0].text != value) ++wrong;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamed) {
  TlsOptions options;
  options.ca_file = "/nowhere/ca.pem";
  EXPECT_NE(testing_support::error_of([&] { TlsClient{options}; }).find("/nowhere/ca.pem"), std::string::npos);
  options = trusting("ca");
  options.cert_file = certificates->certificate("client");
  EXPECT_NE(testing_support::error_of([&] { TlsClient{options}; }).find("key_file"), std::string::npos);
  options.key_file = certificates->key("stranger");
  EXPECT_NE(testing_support::error_of([&] { TlsClient{options}; }).find("key_file"), std::string::npos);
}

}  // namespace
}  // namespace dsta::cache::detail
