// Two levels over encrypted connections: the invalidation channel is encrypted like the other, and nothing that
// a manager says gives a secret away.
#include <dsta/cache.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "certificates.hpp"
#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr const char* kSecrets[] = {"canary-user", "canary-password", "canary-value", "canary-key", "canary-tag"};

struct LevelsOverTls : ::testing::Test {
  static void SetUpTestSuite() { made = new Certificates; }
  static void TearDownTestSuite() {
    delete made;
    made = nullptr;
  }
  void SetUp() override {
    const Certificates& certificates = *made;
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    if (!certificates.made()) GTEST_SKIP() << "there is no openssl tool to make certificates";
    RedisOptions serving;
    serving.tls =
        RedisTls{certificates.certificate("server"), certificates.key("server"), certificates.certificate("ca"), true};
    serving.users = {"canary-user on >canary-password ~* &* +@all", "default off"};
    server = std::make_unique<RedisServer>(serving);
    proxy = std::make_unique<FaultProxy>(server->port());
    try {
      manager();
    } catch (const ConfigError& e) {
      GTEST_SKIP() << e.what();  // built without TLS
    }
  }
  CacheManager manager(const std::string& authority = "ca") {
    ManagerOptions options;
    options.url = "rediss://canary-user:canary-password@127.0.0.1:" + std::to_string(proxy->port());
    options.tls.ca_file = made->certificate(authority);
    options.tls.cert_file = made->certificate("client");
    options.tls.key_file = made->key("client");
    options.pool.socket_timeout = options.pool.connect_timeout = 1s;
    options.l1.ping_period = 200ms;
    options.log.level = LogLevel::debug;
    options.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex);
      said.append(message) += '\n';
    };
    return CacheManager(options);
  }
  void expect_no_secret_in(const std::string& text) {
    for (const char* secret : kSecrets) EXPECT_EQ(text.find(secret), std::string::npos) << secret << " in:\n" << text;
  }
  /// Every kind of call, some with mistakes in them.
  void use(CacheManager& cache) {
    cache.set("canary-key", "canary-value", {.ttl = 60s, .tags = {"canary-tag"}});
    (void)cache.get("canary-key"), (void)cache.exists("canary-key");
    cache.increment("canary-count");
    cache.invalidate_tag("canary-tag");
    cache.delete_pattern("canary-key*");
    const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](const std::string& text) -> std::string {
      if (text == "canary-key") throw std::runtime_error("the source is away");
      return "canary-value";
    });
    f("x");
    EXPECT_THROW(f("canary-key"), std::runtime_error);
    cache.flush_all();
  }

  static Certificates* made;
  std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
  std::mutex mutex;
  std::string said;  // under mutex
};
Certificates* LevelsOverTls::made = nullptr;

TEST_F(LevelsOverTls, ForeignChangesArriveAndOutlastALoss) {
  CacheManager ours = manager(), theirs = manager();
  const auto both_serve_from_memory = [&] {
    return ours.lookup("k").source == Source::l1 && theirs.lookup("k").source == Source::l1;
  };
  for (int round = 0; round < 2; ++round) {
    for (const char* value : {"one", "two"}) {
      ASSERT_TRUE(eventually([&] { return bool(ours.set("k", value, {.ttl = 60s})); }));
      EXPECT_TRUE(eventually([&] { return theirs.get("k") == value && both_serve_from_memory(); })) << value;
    }
    ours.del("k");
    EXPECT_TRUE(eventually([&] { return !theirs.exists("k"); }));
    proxy->reset_connections();
  }
}

TEST_F(LevelsOverTls, SecretsStandInNothingThatAManagerSays) {
  CacheManager cache = manager();
  use(cache);
  for (const Fault& fault : {Fault::blackhole(), Fault::refuse(), Fault::reset_on_accept()}) {
    proxy->set(Fault(fault));
    use(cache);
    proxy->reset_connections();
    use(cache);
    proxy->clear();
  }
  use(cache);
  CacheManager untrusting = manager("foreign");
  use(untrusting);
  server->kill();
  use(cache);
  {
    const std::lock_guard lock(mutex);
    EXPECT_NE(said.find("no connection to"), std::string::npos) << "so messages are logged: " << said;
    expect_no_secret_in(said);
  }
  expect_no_secret_in(cache.get_stats().to_json());
  const Health health = check_health(cache);
  EXPECT_FALSE(health.healthy);
  expect_no_secret_in(health.error);
}

}  // namespace
}  // namespace dsta::cache
