// The version of a tag outlives every entry that depends on it, or those would be gone with it before their time.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using TagLife = ProxiedServer;

std::int64_t milliseconds_left(const std::string& key) { return std::stoll(TagLife::server->command({"PTTL", key})); }

TEST_F(TagLife, IsProlongedByAnEntryThatLivesLongerThanThoseBefore) {
  const std::string version = "dsta:\x01v:t";
  for (const bool l1 : {false, true}) {
    SCOPED_TRACE(levels_name(l1));
    server->command({"FLUSHALL"});
    CacheManager cache(over_redis(server->url(), l1, 5s));
    ASSERT_TRUE(cache.set("short", 1, {.ttl = 60s, .tags = {"t"}}));
    EXPECT_GT(milliseconds_left(version), 60'000);
    ASSERT_TRUE(cache.set("long", 1, {.ttl = 24h, .tags = {"t"}}));
    EXPECT_GT(milliseconds_left(version), 24 * 3'600'000);
    ASSERT_TRUE(cache.set("for ever", 1, {.ttl = forever, .tags = {"t"}}));
    EXPECT_EQ(milliseconds_left(version), -1);
  }
}

TEST_F(TagLife, IsAskedForOnceForManyEntries) {
  CacheManager cache(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(cache.set("first", 1, {.ttl = 24h, .tags = {"t"}}));
  const auto scripts = [] { return calls_of(*server, "evalsha") + calls_of(*server, "eval"); };
  const std::uint64_t before = scripts();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(cache.set("k" + std::to_string(i), 1, {.ttl = 24h, .tags = {"t"}}));
  EXPECT_EQ(scripts(), before);
}

TEST_F(TagLife, IsProlongedByAValueThatSetsItsOwnTtl) {
  const std::string version = "dsta:\x01v:t";
  for (const bool l1 : {false, true}) {
    for (const Duration ttl : {Duration(24h), forever}) {
      SCOPED_TRACE(levels_name(l1));
      server->command({"FLUSHALL"});
      CacheManager cache(over_redis(server->url(), l1, 5s));
      const EntryOptions options{.ttl = 60s, .prefix = "f", .tags = {"t"}};
      const auto f = cache.cached(options, [](int x) { return x; }).adaptive_ttl([&](int) { return ttl; });
      for (int i = 0; i < 6; ++i) {  // also once a miss is expected
        EXPECT_EQ(f(i), i);
        const std::int64_t left = milliseconds_left(version);
        EXPECT_TRUE(ttl == forever ? left == -1 : left > 24 * 3'600'000) << left;
      }
    }
  }
}

}  // namespace
}  // namespace dsta::cache
