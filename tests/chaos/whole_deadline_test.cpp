// socket_timeout covers a whole call, however many requests it makes: each call there is, of a server that has stopped.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <dsta/cache/cached.hpp>
#include <dsta/cache/health.hpp>
#include <dsta/cache/invalidator.hpp>
#include <dsta/cache/load_context.hpp>

#include "over_redis.hpp"
#include "redis_server.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr std::chrono::milliseconds kLimit = kSanitized ? 600ms : 200ms;

/// A manager with a function of each kind, all known at the server.
struct Calls {
  using Text = std::function<std::string(int)>;

  explicit Calls(const RedisServer& server, bool l1) : cache(over_redis(server.url(), l1, kLimit)) {
    for (int i = 0; i < 3; ++i) {
      plain(i);
      raw(i);
      tagged(i);
      context(i);
    }
    cache.set("k", 1);
    cache.increment("n");
  }

  static std::string text(int i) { return std::to_string(i); }
  CacheManager cache;
  CacheInvalidator invalidator{cache};
  const cached<Text> plain = cache.cached({.ttl = 60s, .prefix = "f"}, Text(text));
  const cached<Text> raw = cache.cached({.ttl = 60s, .prefix = "r", .raw = true}, Text(text));
  const cached<Text> tagged = cache.cached({.ttl = 60s, .prefix = "t", .tags = {"x:{0}", "y", "z"}}, Text(text));
  const std::function<std::string(int)> context =
      cache.cached({.ttl = 60s, .prefix = "c"},
                   std::function<std::string(int, LoadContext<std::string>&)>(
                       [](int i, LoadContext<std::string>& load) { return load.add_tag("late"), text(i); }));
};

const std::map<std::string, std::function<void(Calls&)>> kCalls{
    {"get", [](Calls& on) { static_cast<void>(on.cache.get("absent")); }},
    {"get_many",
     [](Calls& on) {
       static_cast<void>(on.cache.get_many({"absent", "k"}));
     }},
    {"lookup", [](Calls& on) { static_cast<void>(on.cache.lookup<int>("absent")); }},
    {"exists", [](Calls& on) { static_cast<void>(on.cache.exists("absent")); }},
    {"get_ttl", [](Calls& on) { static_cast<void>(on.cache.get_ttl("absent")); }},
    {"get_or_load", [](Calls& on) { on.cache.get_or_load("absent", [] { return 1; }); }},
    {"set", [](Calls& on) { on.cache.set("k", 2); }},
    {"set with tags",
     [](Calls& on) {
       on.cache.set("k", 2, {.ttl = 60s, .tags = {"q", "r"}});
     }},
    {"set_many",
     [](Calls& on) {
       on.cache.set_many<int>({{"a", 1}, {"b", 2}});
     }},
    {"increment", [](Calls& on) { on.cache.increment("n"); }},
    {"del", [](Calls& on) { on.cache.del("k"); }},
    {"del_many",
     [](Calls& on) {
       on.cache.del_many({"k", "l"});
     }},
    {"delete_pattern", [](Calls& on) { on.cache.delete_pattern("*"); }},
    {"invalidate_tag", [](Calls& on) { on.cache.invalidate_tag("y"); }},
    {"flush_all", [](Calls& on) { on.cache.flush_all(); }},
    {"symbol", [](Calls& on) { on.invalidator.invalidate_symbol_data("BTC"); }},
    {"exchange", [](Calls& on) { on.invalidator.invalidate_exchange_data("X"); }},
    {"user", [](Calls& on) { on.invalidator.invalidate_user_session("7"); }},
    {"call", [](Calls& on) { on.plain(100); }},
    {"call of a raw function", [](Calls& on) { on.raw(100); }},
    {"call with tags", [](Calls& on) { on.tagged(100); }},
    {"call that names its tags", [](Calls& on) { on.context(100); }},
    {"refresh", [](Calls& on) { on.plain.refresh(1); }},
    {"refresh of a raw function", [](Calls& on) { on.raw.refresh(1); }},
    {"peek", [](Calls& on) { static_cast<void>(on.plain.peek(100)); }},
    {"put", [](Calls& on) { on.tagged.put(9, "v"); }},
    {"invalidate", [](Calls& on) { on.plain.invalidate(1); }},
    {"invalidate_matching", [](Calls& on) { on.plain.invalidate_matching(1); }},
    {"cache_clear", [](Calls& on) { on.plain.cache_clear(); }},
    {"cache_clear of a raw function", [](Calls& on) { on.raw.cache_clear(); }},
    {"check_health", [](Calls& on) { static_cast<void>(check_health(on.cache)); }},
};

struct WholeDeadline : ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Over, WholeDeadline, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(WholeDeadline, HoldsForEveryCall) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  RedisServer server;
  const auto time_of = [&](const std::function<void(Calls&)>& call) {
    Calls calls(server, GetParam());
    server.pause();
    const auto begun = std::chrono::steady_clock::now();
    call(calls);
    const auto took = std::chrono::steady_clock::now() - begun;
    server.resume();
    return took;
  };
  constexpr auto kMost = kLimit * 17 / 10;
  for (const auto& [name, call] : kCalls) {
    // A call that gives each of its parts a limit is late each time; a busy machine is not.
    std::chrono::steady_clock::duration took{};
    for (int attempt = 0; attempt < 4 && (attempt == 0 || took >= kMost); ++attempt) took = time_of(call);
    EXPECT_LT(took, kMost) << name;
  }
}

}  // namespace
}  // namespace dsta::cache
