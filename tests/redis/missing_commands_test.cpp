// A server that lacks a command: it is said once what is lost, the rest works, and no process waits for another.
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "refusing_proxy.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct MissingCommandsTest : ::testing::Test {
  using Function = std::function<int(int)>;

  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  void start(const std::string& taken) {
    RedisOptions options;
    options.users = {"app on >pw ~* &* +@all " + taken, "full on >pw ~* &* +@all"};
    server = std::make_unique<RedisServer>(options);
    url = "redis://app:pw@127.0.0.1:" + std::to_string(server->port());
  }
  ManagerOptions options(bool l1 = true) {
    ManagerOptions given = over_redis(url, l1, 2s);
    given.log.level = LogLevel::warning;
    given.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex);
      log.emplace_back(message);
    };
    return given;
  }
  int times_said(const std::string& words) {
    const std::lock_guard lock(mutex);
    int times = 0;
    for (const std::string& message : log) times += message.find(words) != std::string::npos;
    return times;
  }
  std::string all_said() {
    const std::lock_guard lock(mutex);
    return ::testing::PrintToString(log);
  }
  /// All that a cache does, in two processes.
  void expect_works(CacheManager& a, CacheManager& b) {
    std::atomic<int> source{1}, loads{0};
    const auto load = Function([&](int) { return ++loads, source.load(); });
    const EntryOptions tagged{.ttl = 60s, .prefix = "f", .tags = {"tag"}};
    const auto here = a.cached(tagged, load), there = b.cached(tagged, load);
    EXPECT_TRUE(a.set("k", 1, {.ttl = 60s}));
    EXPECT_EQ(b.get<int>("k"), 1);
    EXPECT_EQ(here(1), 1);
    EXPECT_EQ(there(1), 1);
    EXPECT_EQ(loads, 1) << "what one has loaded the other finds";
    const auto changes = {std::pair<const char*, std::function<void()>>{"invalidate", [&] { here.invalidate(1); }},
                          {"invalidate_tag", [&] { a.invalidate_tag("tag"); }},
                          {"cache_clear", [&] { here.cache_clear(); }},
                          {"flush_all", [&] { a.flush_all(); }}};
    for (const auto& [name, change] : changes) {
      const int value = ++source;
      change();
      EXPECT_EQ(a.get_stats().pending_invalidations, 0u) << name;
      EXPECT_EQ(here(1), value) << name;
      EXPECT_TRUE(eventually([&] { return there(1) == value; }, 2s)) << name;
    }
    ++source;
    EXPECT_EQ(here.refresh(1), source);
    EXPECT_TRUE(eventually([&] { return there(1) == source; }, 6s)) << "refresh";
    EXPECT_TRUE(check_health(a).healthy) << check_health(a).error;
  }

  std::unique_ptr<RedisServer> server;
  std::string url;
  std::mutex mutex;
  std::vector<std::string> log;  // under mutex
};

TEST_F(MissingCommandsTest, WithoutEchoRepliesAreCheckedByPing) {
  start("-echo");
  CacheManager a(options()), b(options());
  expect_works(a, b);
  EXPECT_EQ(times_said("no ECHO"), 2) << all_said();
  EXPECT_EQ(times_said("no PING"), 0) << all_said();
  EXPECT_NE(check_health(a).warning.find("no ECHO"), std::string::npos) << check_health(a).warning;
}

TEST_F(MissingCommandsTest, HealthNamesWhatWasFoundMissing) {
  start("-scan -multi -getrange");
  CacheManager a(options());
  EXPECT_EQ(check_health(a).warning, "");
  a.increment("n", 1, {.ttl = 60s});
  a.set("k", 1, {.ttl = 60s});
  a.delete_pattern("k*");
  const std::string warning = check_health(a).warning;
  EXPECT_NE(warning.find("no MULTI"), std::string::npos) << warning;
  EXPECT_NE(warning.find("no SCAN"), std::string::npos) << warning;
}

TEST_F(MissingCommandsTest, WithoutEchoAndPingTheirOrderIsTrusted) {
  start("-echo -ping");
  CacheManager a(options(false)), b(options(false));
  expect_works(a, b);
  EXPECT_EQ(times_said("no PING"), 2) << all_said();
}

TEST_F(MissingCommandsTest, WithoutTimeTheOwnClockServes) {
  start("-time");
  CacheManager a(options()), b(options());
  expect_works(a, b);
  EXPECT_EQ(times_said("no TIME"), 2) << all_said();
  EXPECT_NE(check_health(a).warning.find("TIME"), std::string::npos);
}

TEST_F(MissingCommandsTest, WithoutScriptsLoadsAreStoredBySet) {
  for (const std::string taken : {"-@scripting", "-eval -evalsha", "-eval"}) {
    SCOPED_TRACE(taken);
    start(taken);
    log.clear();
    CacheManager a(options()), b(options());
    expect_works(a, b);
    EXPECT_GE(times_said("no EVAL"), 1) << all_said();
    EXPECT_LE(times_said("no EVAL"), 2) << "once for each that has asked: " << all_said();
    EXPECT_NE(check_health(a).warning.find("EVAL"), std::string::npos);
  }
}

TEST_F(MissingCommandsTest, AServerThatDoesNotKnowScriptsIsTheSame) {
  RedisOptions old;
  old.config = {"rename-command EVAL \"\"", "rename-command EVALSHA \"\""};
  server = std::make_unique<RedisServer>(old);
  url = server->url();
  CacheManager a(options()), b(options());
  expect_works(a, b);
  EXPECT_NE(check_health(a).warning.find("EVAL"), std::string::npos);
}

/// Also where the server itself does not know it, and no user's rights are the reason.
TEST_F(MissingCommandsTest, AServerWithoutEvalshaRunsWholeScripts) {
  RedisOptions old;
  old.config = {"rename-command EVALSHA \"\""};
  server = std::make_unique<RedisServer>(old);
  url = server->url();
  CacheManager a(options()), b(options());
  expect_works(a, b);
  const std::string warning = check_health(a).warning;
  EXPECT_EQ(warning.find("no EVAL:"), std::string::npos) << warning;
  EXPECT_NE(warning.find("no EVALSHA:"), std::string::npos) << warning;
}

/// What a refresh without a lease overwrites may be newer: not for longer than the bound.
TEST_F(MissingCommandsTest, WithoutScriptsWhatIsLoadedLivesShortly) {
  start("-@scripting");
  CacheManager a(options(false));
  const auto f = a.cached({.ttl = 600s, .prefix = "f"}, [](int i) { return i; });
  EXPECT_EQ(f(1), 1);
  const auto life = std::stoll(server->command({"PTTL", "dsta:" + f.key_for(1)}));
  EXPECT_GT(life, 0);
  EXPECT_LE(life, 5000);
  EXPECT_LE(*a.get_ttl(f.key_for(1)), 5s);
  ASSERT_TRUE(a.set("k", 1, {.ttl = 600s}));
  EXPECT_GT(std::stoll(server->command({"PTTL", "dsta:k"})), 500'000) << "what is set is not loaded";
}

TEST_F(MissingCommandsTest, WithoutScriptsALoadIsFencedByWhatIsHeard) {
  start("-@scripting");
  for (const CoherenceMode mode : {CoherenceMode::tracking, CoherenceMode::announcements}) {
    SCOPED_TRACE(to_string(mode));
    ManagerOptions here = options(), there = options();
    here.l1.coherence = there.l1.coherence = mode;
    CacheManager a(std::move(here)), b(std::move(there));
    ASSERT_TRUE(l1_is_up(a));
    ASSERT_TRUE(l1_is_up(b));
    std::function<void()> once;
    const auto f = a.cached({.ttl = 60s, .prefix = "f"}, Function([&](int) {
                              if (const auto now = std::exchange(once, nullptr)) now();
                              return 1;
                            }));
    const auto overtaken_by = [&](const std::function<void()>& change) {
      once = [&, change] {
        change();
        EXPECT_TRUE(has_invalidated(b, a));
      };
    };
    ASSERT_EQ(f.key_for(1), "f:1");
    overtaken_by([&] { b.set("f:1", 3, {.ttl = 60s}); });
    EXPECT_EQ(f(1), 1) << "who came before the change may have it";
    EXPECT_EQ(b.get<int>("f:1"), 3) << "and nobody else";
    ASSERT_TRUE(f.put(2, 0));
    overtaken_by([&] { b.del("f:2"); });
    EXPECT_EQ(f.refresh(2), 1);
    EXPECT_FALSE(b.get<int>("f:2")) << "where it was to be replaced";
    overtaken_by([&] { b.del("f:3"); });
    EXPECT_EQ(f(3), 1);
    EXPECT_FALSE(b.get<int>("f:3")) << "where nothing was";
    b.delete_pattern("f:*");
  }
}

/// Nothing is heard here: what was removed or put shows at the server alone.
TEST_F(MissingCommandsTest, WithoutScriptsALoadIsFencedByItsMark) {
  start("-@scripting");
  CacheManager a(options(false)), b(options(false));
  std::function<void()> once;
  const auto f = a.cached({.ttl = 60s, .prefix = "f"}, Function([&](int) {
                            if (const auto now = std::exchange(once, nullptr)) now();
                            return 1;
                          }));
  EXPECT_EQ(f(0), 1);
  once = [&] { b.del("f:1"); };
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(server->command({"EXISTS", "dsta:f:1"}), "0");
  once = [&] { b.set("f:2", 3, {.ttl = 60s}); };
  EXPECT_EQ(f(2), 1);
  EXPECT_NE(b.get<int>("f:2"), 1) << "nobody finds the older value";
}

TEST_F(MissingCommandsTest, WithoutScriptsNoLeaseIsLeftBehind) {
  start("-@scripting");
  // The version is there, so nothing but storing under a lease shows that there are no scripts.
  const std::string full = "redis://full:pw@127.0.0.1:" + std::to_string(server->port());
  CacheManager other(over_redis(full, false, 2s));
  ASSERT_TRUE(other.set("k", 1, {.ttl = 60s}));
  const auto load = [](int i) -> int {
    if (i == 2) throw std::runtime_error("failed");
    return i;
  };
  const EntryOptions kept{.ttl = 60s, .prefix = "f"};
  ASSERT_EQ(other.cached(kept, load)(0), 0);  // the function's version, too
  CacheManager a(options(false));
  const auto f = a.cached(kept, load);
  const auto there = other.cached(kept, load);
  for (const int i : {1, 3}) EXPECT_EQ(f(i), i);
  EXPECT_THROW(f(2), std::runtime_error);
  for (const int i : {1, 3}) {
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(there(i), i);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 1500ms) << "a lease lives for 3 s";
  }
  EXPECT_EQ(server->command({"GET", "dsta:" + f.key_for(2)}), "(nil)");
}

TEST_F(MissingCommandsTest, RightsThatAreGrantedAreUsed) {
  start("-evalsha -multi -getrange");
  CacheManager a(options());
  const auto f = a.cached({.ttl = 60s, .prefix = "f"}, Function([](int i) { return i; }));
  int next = 0;
  const auto use = [&] {
    f(++next);
    a.increment("n", 1, {.ttl = 60s});
    a.del_many({"k", "l"});
    return check_health(a).warning;
  };
  const std::string warning = use();
  for (const char* missing : {"EVALSHA", "MULTI", "GETRANGE"}) {
    EXPECT_NE(warning.find(missing), std::string::npos) << missing << ": " << warning;
  }
  server->command({"ACL", "SETUSER", "app", "+evalsha", "+multi", "+getrange"});
  server->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(eventually([&] { return use().empty(); })) << check_health(a).warning;
}

/// As twemproxy does, it ends the connection.
TEST_F(MissingCommandsTest, AServerThatEndsConnectionsIsUnderstood) {
  server = std::make_unique<RedisServer>();
  const RefusingProxy proxy(
      server->port(),
      [](const auto& words) {
        const std::string name = upper(words[0]);
        for (const char* unknown : {"CLIENT", "ECHO", "TIME", "SUBSCRIBE", "PUBLISH", "MULTI"}) {
          if (name == unknown) return true;
        }
        return name == "PING" && words.size() > 1;
      },
      RefusingProxy::By::end);
  url = proxy.url();
  CacheManager a(options()), b(options());
  for (CacheManager* cache : {&a, &b}) {
    ASSERT_TRUE(eventually([&] { return bool(cache->set("warm", 1, {.ttl = 60s})); }, 20s)) << all_said();
  }
  expect_works(a, b);
  EXPECT_EQ(times_said("no TIME"), 2) << all_said();
}

}  // namespace
}  // namespace dsta::cache
