// Large values that are uploaded and renamed: what is left of those that do not take their place.
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct LargeUploads : ProxiedServer {
  static std::string left() { return server->command({"KEYS", "*\x01up:*"}); }
  /// For a user without one of its commands.
  std::string url_without(const std::string& command) const {
    const std::string user = "no" + command;
    server->command({"ACL", "SETUSER", user, "on", ">pw", "~*", "&*", "+@all", "-" + command});
    return "redis://" + user + ":pw@127.0.0.1:" + std::to_string(proxy->port());
  }
  const std::string value = std::string(std::size_t{2} << 20, 'v');
};

TEST_F(LargeUploads, StayNoLongerWhereTheConnectionEndsBeforeRename) {
  CacheManager cache(over_redis(proxy->url(), false, 500ms));
  ASSERT_TRUE(cache.set("k", 1));
  int set = 0;
  for (const OptionalDuration ttl : {OptionalDuration(forever), OptionalDuration(600s)}) {
    for (const bool raw : {false, true}) {
      proxy->set(Fault::hold(Fault::Way::requests).on("RENAME"));
      const std::size_t faults = proxy->counters().faults;
      const std::string key = "large" + std::to_string(++set);
      std::thread setter([&] { EXPECT_FALSE(cache.set(key, value, {.ttl = ttl, .level = Level::l2, .raw = raw})); });
      EXPECT_TRUE(eventually([&] { return proxy->counters().faults > faults; }));
      proxy->counters();  // what came before it is on its way to the server
      proxy->reset_connections();
      setter.join();
      proxy->clear();
      EXPECT_TRUE(eventually([&] { return bool(cache.set("k", 1)); }));
      EXPECT_FALSE(cache.exists(key, {.raw = raw}));
    }
  }
  EXPECT_TRUE(eventually([&] { return left().empty(); }, 5s)) << left();
}

TEST_F(LargeUploads, WithoutMultiTakeTheirPlaceAllTheSame) {
  CacheManager cache(over_redis(url_without("multi"), false, 20s));
  const std::uint64_t renamed = calls_of(*server, "rename");
  for (const bool raw : {false, true}) {
    ASSERT_TRUE(cache.set("large", value, {.ttl = 600s, .level = Level::l2, .raw = raw}));
    EXPECT_EQ(cache.get("large", {.level = Level::l2, .raw = raw}), value);
    EXPECT_GT(std::stoll(server->command({"PTTL", "dsta:large"})), 500'000);
  }
  EXPECT_EQ(calls_of(*server, "rename"), renamed + 2);
  EXPECT_EQ(left(), "");
  EXPECT_NE(check_health(cache).warning.find("MULTI"), std::string::npos);
}

TEST_F(LargeUploads, OfABatchAreToldApart) {
  for (const bool without_rename : {false, true}) {
    CacheManager cache(over_redis(without_rename ? url_without("rename") : proxy->url(), false, 20s));
    for (const bool raw : {false, true}) {
      const EntryOptions options{.ttl = 600s, .level = Level::l2, .raw = raw};
      const std::string other(value.size(), 'o');
      const auto stored =
          cache.set_many<std::string>({{"a", "1"}, {"l1", value}, {"b", "2"}, {"l2", other}, {"c", "3"}}, options);
      for (const auto& each : stored) EXPECT_TRUE(each) << each.reason();
      EXPECT_EQ(cache.get("a", options), "1");
      EXPECT_EQ(cache.get("b", options), "2");
      EXPECT_EQ(cache.get("c", options), "3");
      EXPECT_EQ(cache.get("l1", options), value);
      EXPECT_EQ(cache.get("l2", options), other);
    }
    EXPECT_EQ(left(), "");
  }
}

TEST_F(LargeUploads, ThatWereLeftGoWithFlushAll) {
  CacheManager cache(over_redis(server->url(), false, 20s));
  ASSERT_TRUE(cache.set("k", 1));
  for (const char* key : {"dsta:\x01up:{dsta:left}token", "dsta:\x01up:{dsta:\x01\x01left}}token"}) {
    server->command({"SET", key, value});
  }
  server->command({"SET", "other:\x01up:{other:left}token", value});
  cache.flush_all();
  EXPECT_EQ(server->command({"EXISTS", "dsta:\x01up:{dsta:left}token"}), "0");
  EXPECT_EQ(server->command({"EXISTS", "dsta:\x01up:{dsta:\x01\x01left}}token"}), "0");
  EXPECT_EQ(server->command({"EXISTS", "other:\x01up:{other:left}token"}), "1");
}

}  // namespace
}  // namespace dsta::cache
