// The credentials callback is called for each connection.
#include <dsta/cache/error.hpp>
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>

#include "error_of.hpp"
#include "eventually.hpp"
#include "l2/client/link.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct DynamicCredentials : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  /// As long as `server` runs.
  ManagerOptions options(const RedisServer& server, bool l1) {
    ManagerOptions made = over_redis("redis://127.0.0.1:" + std::to_string(server.port()), l1, 1s);
    made.pool.credentials = [this] {
      ++asked;
      const std::lock_guard lock(mutex);
      if (broken) throw std::runtime_error("the vault says no to hunter2");
      return current;
    };
    made.log.level = LogLevel::debug;
    made.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex);
      log.append(message).append("\n");
    };
    return made;
  }
  void use(std::string password) {
    const std::lock_guard lock(mutex);
    current.password = std::move(password);
  }
  void set_broken(bool now) {
    const std::lock_guard lock(mutex);
    broken = now;
  }
  std::string logged() {
    const std::lock_guard lock(mutex);
    return log;
  }
  static RedisOptions with_alice() { return {.users = {"default off", "alice on >first ~* &* +@all"}}; }

  std::atomic<int> asked{0};
  std::mutex mutex;
  Credentials current{"alice", "first"};
  bool broken = false;
  std::string log;
};

TEST_F(DynamicCredentials, AChangedPasswordIsUsedByNextConnections) {
  const RedisServer server(with_alice());
  CacheManager cache(options(server, true));
  const auto works = [&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; };
  ASSERT_TRUE(eventually(works));
  const int before = asked;
  EXPECT_GE(before, 2) << "the channel logs in, too";
  server.command({"ACL", "SETUSER", "alice", "resetpass", ">second"});
  EXPECT_TRUE(works()) << "those that are logged in stay";
  use("second");
  server.command({"CLIENT", "KILL", "USER", "alice"});
  EXPECT_TRUE(eventually([&] { return works() && asked >= before + 2; }, 10s))
      << "own values are there before the channel";
  EXPECT_EQ(logged().find("second"), std::string::npos);
}

TEST_F(DynamicCredentials, OfLargeValuesAreAskedForToo) {
  const RedisServer server(with_alice());
  CacheManager cache(options(server, false));
  ASSERT_TRUE(cache.set("k", 1));
  const int before = asked;
  server.command({"ACL", "SETUSER", "alice", "resetpass", ">second"});
  use("second");
  const std::string value(1 << 20, 'v');
  EXPECT_TRUE(cache.set("large", value));
  EXPECT_EQ(asked, before + 1);
  EXPECT_EQ(cache.get_stats().large_connections, 1u);
  EXPECT_EQ(cache.get("large"), value);
}

TEST_F(DynamicCredentials, AWrongPasswordIsAskedForUntilItIsRight) {
  const RedisServer server(with_alice());
  use("wrong-hunter2");
  CacheManager cache(options(server, false));
  const SetResult refused = cache.set("k", 1);
  EXPECT_EQ(refused, SetResult::not_stored);
  EXPECT_NE(refused.reason().find("WRONGPASS"), std::string_view::npos) << refused.reason();
  use("first");
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 1)); }, 10s));
  EXPECT_EQ(logged().find("hunter2"), std::string::npos);
}

TEST_F(DynamicCredentials, AThrowingCallbackIsAFailedConnection) {
  const RedisServer server(with_alice());
  set_broken(true);
  CacheManager cache(options(server, true));
  const SetResult result = cache.set("k", 1);
  EXPECT_EQ(result, SetResult::not_stored);
  EXPECT_NE(result.reason().find("credentials callback"), std::string_view::npos) << result.reason();
  EXPECT_NE(check_health(cache).error.find("credentials callback"), std::string::npos);
  EXPECT_EQ(logged().find("hunter2"), std::string::npos) << logged();
  set_broken(false);
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 1)); }, 10s));
}

TEST_F(DynamicCredentials, AreAskedForWithoutALock) {
  const RedisServer server;
  detail::LinkOptions to;
  to.address.host = "127.0.0.1";
  to.address.port = server.port();
  to.large_connections = 1;
  detail::Link* made = nullptr;
  int while_asked = 0;
  to.credentials = [&] {
    while_asked += made->up() ? 1 : 0;  // takes the link's mutex
    (void)made->counters();
    return Credentials{};
  };
  detail::Link link(to);
  made = &link;
  EXPECT_TRUE(link.run(detail::Request{"PING"}, detail::Purpose::read));
  EXPECT_TRUE(link.run(detail::Request{"PING"}, detail::Purpose::read, detail::Lane::large));
  EXPECT_EQ(while_asked, 2);
}

TEST_F(DynamicCredentials, AndAUserInTheUrlAreAnError) {
  for (const char* url :
       {"redis://alice:hunter2@127.0.0.1:1", "redis://:hunter2@127.0.0.1:1", "redis://a:@127.0.0.1:1"}) {
    ManagerOptions both = over_redis(url, false);
    both.pool.credentials = [] { return Credentials{}; };
    const std::string error = error_of([&] { CacheManager{both}; });
    EXPECT_NE(error.find("credentials"), std::string::npos) << error;
    EXPECT_EQ(error.find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace dsta::cache
