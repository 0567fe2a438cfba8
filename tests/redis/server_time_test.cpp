// Whose time entries end by: the server's, whichever server that is by now, or this machine's where it does not say it.
#include <dsta/cache/health.hpp>

#include <gtest/gtest.h>

#include <string>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using ServerTime = ProxiedServer;

TEST_F(ServerTime, IsAskedAgainWhenAnIdleConnectionWasReplaced) {
  CacheManager cache(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(cache.set("k", 1));
  EXPECT_EQ(cache.get<int>("k"), 1);
  const std::uint64_t asked = calls_of(*server, "time");
  EXPECT_EQ(cache.get<int>("k"), 1);
  EXPECT_EQ(calls_of(*server, "time"), asked) << "once for a connection";
  server->command({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_EQ(cache.get<int>("k"), 1);
  EXPECT_EQ(calls_of(*server, "time"), asked + 1);
}

TEST_F(ServerTime, ThatTookLongToAskMakesNoTtlLonger) {
  for (const bool l1 : {false, true}) {
    SCOPED_TRACE(levels_name(l1));
    CacheManager there(over_redis(server->url(), l1, 5s));
    EXPECT_FALSE(there.get<int>("k"));  // it knows the time
    proxy->set(Fault::delay(300ms, Fault::Way::requests).on("TIME"));
    CacheManager here(over_redis("redis://127.0.0.1:" + std::to_string(proxy->port()), l1, 5s));
    ASSERT_TRUE(here.set("k", 1, {.ttl = 60s}));
    for (int i = 0; i < 2; ++i) {  // from the server, then from where get kept it
      const auto left = there.get_ttl("k");
      ASSERT_TRUE(left);
      EXPECT_LE(*left, 60s);
      EXPECT_GT(*left, 50s);
      EXPECT_EQ(there.get<int>("k"), 1);
    }
    ASSERT_TRUE(here.del("k"));
  }
}

TEST_F(ServerTime, IsThisMachinesWhereTheUserMayNotAskForIt) {
  server->command({"ACL", "SETUSER", "timeless", "on", ">secret", "~*", "&*", "+@all", "-time"});
  for (const bool l1 : {false, true}) {
    SCOPED_TRACE(levels_name(l1));
    const std::string url = "redis://timeless:secret@127.0.0.1:" + std::to_string(server->port());
    CacheManager here(over_redis(url, l1, 5s)), there(over_redis(server->url(), l1, 5s));
    const EntryOptions options{.ttl = 300ms, .stale_for = 600s};
    ASSERT_TRUE(there.set("theirs", 1, options));
    ASSERT_TRUE(here.set("mine", 1, options));
    EXPECT_EQ(here.get<int>("theirs"), 1);
    EXPECT_EQ(there.get<int>("mine"), 1);
    const auto is_stale = [](CacheManager& cache, const char* key) { return cache.get_ttl(key) == Duration::zero(); };
    EXPECT_TRUE(eventually([&] { return is_stale(here, "theirs") && is_stale(there, "mine"); }, 2s));
    EXPECT_NE(check_health(here).warning.find("TIME"), std::string::npos);
  }
  server->command({"ACL", "DELUSER", "timeless"});
}

}  // namespace
}  // namespace dsta::cache
