// Passwords, users, keys and values stand in no message, whatever fails.
#include <gtest/gtest.h>

#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "certificates.hpp"
#include "error_of.hpp"
#include "fault_proxy.hpp"
#include "l2/client/link_options.hpp"
#include "l2/net/tls.hpp"
#include "redis_server.hpp"
#include "scripted_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::Certificates;
using testing_support::error_of;
using NetworkFault = testing_support::Fault;
using testing_support::FaultProxy;
using testing_support::RedisOptions;
using testing_support::RedisServer;
using testing_support::ReservedPort;
using testing_support::ScriptedServer;

/// All that the library says.
struct Secrets : ::testing::Test {
  void note(std::string_view message) {
    const std::lock_guard lock(mutex);
    said += message;
    said += '\n';
  }
  /// Reads and writes by a new link to `url`.
  void use(const std::string& url, TlsOptions tls = {}) {
    ManagerOptions options;
    options.url = url;
    options.tls = std::move(tls);
    options.pool.socket_timeout = options.pool.connect_timeout = 150ms;
    options.log.level = LogLevel::debug;
    options.log.sink = [this](LogLevel, std::string_view message) { note(message); };
    note(error_of([&] {
      const Endpoint endpoint = apply_url(options);
      Link link(link_options(endpoint, options));
      for (int i = 0; i < 4; ++i) {
        link.run(Request{"SET", "k", "canary-value"}, Purpose::write);
        link.run(Request{"GET", "k"}, Purpose::read);
      }
    }));
  }
  void expect_kept() {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(said.find("canary"), std::string::npos) << said;
    EXPECT_EQ(said.find("CANARY"), std::string::npos) << said;
  }
  static std::string url(std::uint16_t port, const char* scheme = "redis") {
    return std::string(scheme) + "://canary-user:canary-password@127.0.0.1:" + std::to_string(port) + "/0";
  }

  std::mutex mutex;
  std::string said;  // under mutex
};

TEST_F(Secrets, AreKeptByFailedConnectionsAndRefusedRequests) {
  if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  RedisOptions asking;
  asking.users = {"canary-user on >canary-password ~app:* +@all", "default off"};
  RedisServer server(asking);
  use("redis://canary-user:canary-other@127.0.0.1:" + std::to_string(server.port()));
  EXPECT_NE(said.find("WRONGPASS"), std::string::npos) << "so messages are logged: " << said;
  use(url(server.port()));  // NOPERM
  FaultProxy proxy(server.port());
  for (const NetworkFault& fault :
       {NetworkFault::refuse(), NetworkFault::reset_on_accept(), NetworkFault::never_answer(),
        NetworkFault::blackhole(), NetworkFault::reset_before(), NetworkFault::reset_after(), NetworkFault::truncate(3),
        NetworkFault::garbage(4), NetworkFault::wrong_length(), NetworkFault::drip(1, 80ms),
        NetworkFault::duplicate_reply(), NetworkFault::swallow_reply(),
        NetworkFault::error_reply("LOADING canary-password"), NetworkFault::error_reply("CANARYPASSWORD canary-value"),
        NetworkFault::error_reply("canary-user")}) {
    for (const bool from_the_start : {true, false}) {
      proxy.set(from_the_start ? NetworkFault(fault) : NetworkFault(fault).on("SET"));
      use(url(proxy.port()));
      proxy.clear();
    }
  }
  expect_kept();
}

TEST_F(Secrets, AreKeptWhenTheServerQuotesThem) {
  static std::string quoted;
  for (const std::string_view before : {"-", "-ERR unknown command ", "+", "$5\r\n", "*", "", ":"}) {
    ScriptedServer quoting([&](std::string_view request) {
      quoted = before;
      for (const char c : request) quoted += c == '\r' || c == '\n' || c == ' ' ? '_' : c;
      quoted += "\r\n";
      return ScriptedServer::Reply{quoted};
    });
    use(url(quoting.port()));
    expect_kept();
  }
}

TEST_F(Secrets, AreKeptWhenAKeyFileCannotBeUsed) {
  const Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "there is no openssl tool to make certificates";
  const ReservedPort nobody;
  TlsOptions tls;
  tls.ca_file = certificates.certificate("ca");
  tls.cert_file = certificates.certificate("client");
  for (const char* content : {"canary-key", "-----BEGIN PRIVATE KEY-----\ncanary+key\n-----END PRIVATE KEY-----\n",
                              "-----BEGIN canary-----\nAAAA\n-----END canary-----\n"}) {
    tls.key_file = certificates.key("damaged");
    std::ofstream(tls.key_file) << content;
    use(url(nobody.port(), "rediss"), tls);
  }
  EXPECT_NE(said.find("key_file"), std::string::npos) << said;
  tls.key_file = certificates.key("stranger");
  use(url(nobody.port(), "rediss"), tls);
  ScriptedServer plain([](std::string_view) { return ScriptedServer::Reply{"-ERR canary-quoted\r\n"}; });
  tls.key_file = certificates.key("client");
  use(url(plain.port(), "rediss"), tls);
  expect_kept();
}

/// What is repeated of a URL is a scheme or an option that is made like one, nothing else.
TEST_F(Secrets, AreKeptByErrorsOfTheUrl) {
  for (const char* mistaken : {"canary-password@localhost",
                               "redis://canary-password@localhost",
                               "redis://:canary-password",
                               "redis://canary-user:canary-password",
                               "redis:canary-password@localhost",

                               "redis://u:canary-password@local host",
                               "redis://u:canary-password@localhost:0",
                               "redis://u:canary-password@localhost:99999999",
                               "redis://u:canary?password=1@localhost",
                               "redis://u:canary#password@localhost",
                               "redis://u:canary/password@localhost",
                               "redis://u:canary%zzpassword@localhost",
                               "redis://u:p@localhost/canary",

                               "redis://u:p@localhost?canary-x=1",
                               "redis://u:p@localhost?db=canary",
                               "redis://u:p@localhost?l1=canary",
                               "redis://u:p@localhost?socket_timeout=canary",
                               "redis://u:p@[canary]:1",
                               "redis://u:p@canary%00:1",
                               "memory:canary",
                               "memory:?canary-1=2",
                               "unix://canary-password@/x",
                               "unix://u:canary-password@host/x",
                               "redis-sentinel://u:canary-password@127.0.0.1:1/master",
                               "redis-sentinel://u:canary-password@127.0.0.1:1",
                               "redis-sentinel://u:canary-password@h1;h2/master",
                               "redis-sentinel://127.0.0.1:1,u:canary-password/master",
                               "redis-sentinel://127.0.0.1:1/canary password",
                               "redis-sentinel://127.0.0.1:1/master?sentinel_password=canary-password",
                               "redis-sentinel://127.0.0.1:1/master?sentinel_username=canary",
                               "redis-sentinel://127.0.0.1:1/master?address_map=canary",
                               "redis-sentinel://127.0.0.1:1/master?address_map=canary%20=h",
                               "redis://127.0.0.1:1?sentinel_password=canary",
                               "redis://u:p@localhost?db=1&db=canary"}) {
    use(mistaken);
    note(redacted(mistaken));
  }
  expect_kept();
}

}  // namespace
}  // namespace dsta::cache::detail
