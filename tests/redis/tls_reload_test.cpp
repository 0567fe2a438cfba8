// Certificates that are replaced while the program runs.
#ifdef DSTA_CACHE_HAS_TLS

#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>

#include "certificates.hpp"
#include "eventually.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct ReplacedCertificates : ::testing::Test {
  static void SetUpTestSuite() {
    if (RedisServer::available()) certificates = std::make_unique<Certificates>();
  }
  static void TearDownTestSuite() { certificates.reset(); }
  void SetUp() override {
    if (!certificates || !certificates->made()) GTEST_SKIP() << "no redis-server, or no openssl, on this machine";
    put_file(certificates->certificate("ca"), trusted());
    put_file(certificates->certificate("client"), shown());
    put_file(certificates->key("client"), shown_key());
    server =
        std::make_unique<RedisServer>(RedisOptions{.tls = RedisTls{.certificate = certificates->certificate("server"),
                                                                   .key = certificates->key("server"),
                                                                   .authority = certificates->certificate("ca"),
                                                                   .ask_clients = true}});
  }
  /// As a tool does that replaces one: under its name there is the old one or the new one.
  static void put_file(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to + ".new", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(to + ".new", to);
  }
  static std::string trusted() { return certificates->certificate("trusted"); }
  static std::string shown() { return certificates->certificate("shown"); }
  static std::string shown_key() { return certificates->key("shown"); }
  ManagerOptions options() {
    ManagerOptions made = over_redis(server->url(), false, 1s);
    made.tls.ca_file = trusted();
    made.tls.cert_file = shown();
    made.tls.key_file = shown_key();
    made.log.level = LogLevel::info;
    made.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex);
      log.append(message).append("\n");
    };
    return made;
  }
  std::string logged() {
    const std::lock_guard lock(mutex);
    return log;
  }
  void end_connections() { server->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}); }

  static inline std::unique_ptr<Certificates> certificates;
  std::unique_ptr<RedisServer> server;
  std::mutex mutex;
  std::string log;
};

TEST_F(ReplacedCertificates, OfAuthoritiesCountForTheNextConnection) {
  CacheManager cache(options());
  ASSERT_TRUE(cache.set("k", 1));
  put_file(certificates->certificate("foreign"), trusted());
  EXPECT_TRUE(cache.set("k", 2)) << "the connection that there is stays";
  end_connections();
  EXPECT_TRUE(eventually([&] { return !cache.set("k", 3); }));
  EXPECT_NE(check_health(cache).error.find("TLS"), std::string::npos) << check_health(cache).error;
  put_file(certificates->certificate("ca"), trusted());
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 4)); }, 10s));
}

TEST_F(ReplacedCertificates, OfTheClientCountForTheNextConnection) {
  put_file(certificates->certificate("stranger"), shown());
  put_file(certificates->key("stranger"), shown_key());
  CacheManager cache(options());
  EXPECT_FALSE(cache.set("k", 1));
  put_file(certificates->certificate("client"), shown());
  put_file(certificates->key("client"), shown_key());
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 1)); }, 10s));
}

TEST_F(ReplacedCertificates, ThatCannotBeUsedLeaveTheFormerInUse) {
  CacheManager cache(options());
  ASSERT_TRUE(cache.set("k", 1));
  put_file(certificates->key("stranger"), shown_key());  // its certificate follows later
  end_connections();
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 2)); }, 10s));
  EXPECT_NE(logged().find("key_file"), std::string::npos) << logged();
  std::filesystem::remove(trusted());
  end_connections();
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 3)); }, 10s));
  EXPECT_NE(logged().find("ca_file"), std::string::npos) << logged();
}

TEST_F(ReplacedCertificates, AreReadOnceForEachReplacement) {
  CacheManager cache(options());
  ASSERT_TRUE(cache.set("k", 1));
  put_file(certificates->certificate("ca"), trusted());
  for (int i = 0; i < 3; ++i) {
    end_connections();
    EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 2)); }, 10s));
  }
  const std::string said = logged();
  const std::size_t first = said.find("read again");
  ASSERT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("read again", first + 1), std::string::npos) << said;
}

}  // namespace
}  // namespace dsta::cache

#endif
