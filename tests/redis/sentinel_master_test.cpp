// A manager over sentinels that answer as the test sets them, and real servers: it uses a master and nothing else.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include "certificates.hpp"
#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "scale.hpp"
#include "scripted_sentinel.hpp"
#include "sentinel_group.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::FaultProxy;
using testing_support::RedisOptions;
using testing_support::RedisServer;
using testing_support::ReservedPort;
using testing_support::ScriptedSentinel;

struct SentinelMaster : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    RedisOptions prompt;
    prompt.config = {"repl-diskless-sync-delay 0"};
    first = std::make_unique<RedisServer>(prompt);
    second = std::make_unique<RedisServer>(prompt);
    sentinel = std::make_unique<ScriptedSentinel>(ScriptedSentinel::address(first->port()));
  }
  ManagerOptions options(bool l1, const std::string& more = "") {
    auto made = testing_support::over_redis("redis-sentinel://" + sentinel->place() + "/mymaster" + more, l1, 500ms);
    made.l1.ping_period = 100ms;
    made.log.level = LogLevel::info;
    made.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex);
      (logged += message) += '\n';
    };
    return made;
  }
  std::string log() {
    const std::lock_guard lock(mutex);
    return logged;
  }
  static std::string address(const RedisServer& server) { return "127.0.0.1:" + std::to_string(server.port()); }
  static void follow(RedisServer& replica, const RedisServer& master) {
    ASSERT_EQ(replica.command({"REPLICAOF", "127.0.0.1", std::to_string(master.port())}), "OK");
    ASSERT_TRUE(eventually([&] {
      return replica.command({"INFO", "replication"}).find("master_link_status:up") != std::string::npos;
    }));
  }
  static void promote(RedisServer& replica) { ASSERT_EQ(replica.command({"REPLICAOF", "NO", "ONE"}), "OK"); }
  /// And was asked for the master afterwards.
  static bool is_listened_to(const ScriptedSentinel& sentinel) {
    const std::string received = sentinel.received();
    const std::size_t at = received.find("SUBSCRIBE");
    return at != std::string::npos && received.find("GET-MASTER", at) != std::string::npos;
  }
  static bool is_kept(CacheManager& cache, const std::string& key) {
    return eventually([&] { return cache.get(key) && cache.lookup<std::string>(key).source == Source::l1; });
  }

  std::unique_ptr<RedisServer> first, second;
  std::unique_ptr<ScriptedSentinel> sentinel;
  std::mutex mutex;
  std::string logged;  // under mutex
};

TEST_F(SentinelMaster, IsUsedAsASingleServerIs) {
  CacheManager cache(options(true));
  ASSERT_TRUE(cache.set("k", "v", {.ttl = 1h}));
  EXPECT_TRUE(is_kept(cache, "k"));
  EXPECT_EQ(first->command({"DBSIZE"}).empty(), false);
  const Health health = check_health(cache);
  EXPECT_TRUE(health.healthy) << health.error;
  EXPECT_EQ(health.server, address(*first));
  EXPECT_EQ(cache.get_stats().topology, "sentinel");
  EXPECT_EQ(cache.get_stats().master_changes, 0u);
}

TEST_F(SentinelMaster, IsFollowedWhenItIsAnnounced) {
  follow(*second, *first);
  CacheManager cache(options(true));
  ASSERT_TRUE(cache.set("k", "v", {.ttl = 1h}));
  ASSERT_TRUE(is_kept(cache, "k"));
  ASSERT_EQ(first->command({"WAIT", "1", "5000"}), "1");
  promote(*second);
  second->command({"SET", "dsta:marker", "x"});
  sentinel->answer(ScriptedSentinel::address(second->port()));
  // The former one still says that it is a master.
  sentinel->announce("mymaster 127.0.0.1 " + std::to_string(first->port()) + " 127.0.0.1 " +
                     std::to_string(second->port()));
  ASSERT_TRUE(eventually([&] { return cache.get_stats().server == address(*second); }));
  EXPECT_TRUE(is_kept(cache, "k")) << "L1 follows, too";
  EXPECT_EQ(cache.get_stats().master_changes, 1u);
  EXPECT_GE(cache.get_stats().l1_suspensions, 1u);
  ASSERT_TRUE(cache.set("new", "v"));
  EXPECT_NE(second->command({"GET", "dsta:new"}), "(nil)");
  EXPECT_EQ(first->command({"GET", "dsta:new"}), "(nil)");
}

TEST_F(SentinelMaster, IsLeftWhenItIsDemotedAndNobodySaysSo) {
  for (const bool l1 : {true, false}) {
    promote(*first), promote(*second);
    sentinel->answer(ScriptedSentinel::address(first->port()));
    CacheManager cache(options(l1));
    ASSERT_TRUE(eventually([&] { return bool(cache.set("k", "v", {.ttl = 1h})); }));
    ASSERT_TRUE(eventually([&] { return testing_support::calls_of(*first, "role") > 2; })) << "by the look";
    sentinel->answer(ScriptedSentinel::address(second->port()));
    ASSERT_EQ(first->command({"REPLICAOF", "127.0.0.1", std::to_string(second->port())}), "OK");
    ASSERT_TRUE(eventually([&] { return cache.get_stats().server == address(*second); })) << log();
  }
}

TEST_F(SentinelMaster, IsLeftWhenItRefusesAWrite) {
  follow(*second, *first);
  auto slow = options(false);
  slow.l1.ping_period = 1min;  // so nothing else notices it
  CacheManager cache(slow);
  ASSERT_TRUE(cache.set("k", "v", {.ttl = 1h}));
  ASSERT_TRUE(eventually([&] { return is_listened_to(*sentinel); }));
  promote(*second);
  sentinel->answer(ScriptedSentinel::address(second->port()));
  ASSERT_EQ(first->command({"REPLICAOF", "127.0.0.1", std::to_string(second->port())}), "OK");
  EXPECT_TRUE(eventually([&] { return bool(cache.set("other", "v")); }, 3s));
  EXPECT_EQ(cache.get_stats().server, address(*second));
}

TEST_F(SentinelMaster, IsTheOnlyOneWhoseValuesAreRead) {
  follow(*second, *first);
  {
    CacheManager cache(options(false));
    ASSERT_TRUE(cache.set("k", "v", {.ttl = 1h}));
  }
  ASSERT_EQ(first->command({"WAIT", "1", "5000"}), "1");
  sentinel->answer(ScriptedSentinel::address(second->port()));  // a replica
  CacheManager cache(options(true));
  EXPECT_FALSE(cache.get("k"));
  EXPECT_FALSE(cache.get("k", {.level = Level::l2}));
  const SetResult result = cache.set("other", "v");
  EXPECT_FALSE(result);
  EXPECT_NE(result.reason().find("the server there is not a master"), std::string::npos) << result.reason();
  EXPECT_EQ(testing_support::calls_of(*second, "get") + testing_support::calls_of(*second, "mget"), 0u);
  // As soon as it is one it is used.
  promote(*second);
  EXPECT_TRUE(eventually([&] { return cache.get("k") == "v"; }));
}

TEST_F(SentinelMaster, IsNotTakenFromASentinelThatIsLate) {
  ScriptedSentinel knows(ScriptedSentinel::address(second->port()));
  follow(*first, *second);
  auto both = options(false);
  both.url = "redis-sentinel://" + sentinel->place() + "," + knows.place() + "/mymaster";
  CacheManager cache(both);
  EXPECT_TRUE(cache.set("k", "v")) << "the first attempt finds the master";
  EXPECT_EQ(cache.get_stats().server, address(*second));
}

TEST_F(SentinelMaster, GetsNoLoadThatBeganUnderTheFormerOne) {
  for (const bool l1 : {true, false}) {
    promote(*second);
    follow(*second, *first);
    sentinel->answer(ScriptedSentinel::address(first->port()));
    CacheManager cache(options(l1, l1 ? "?space=both" : "?space=l2"));
    ASSERT_TRUE(eventually([&] { return bool(cache.set("other", "v")); }));
    int loads = 0;
    auto load = cache.cached({.ttl = 1h, .prefix = "f"}, [&](int i) {
      if (++loads > 1) return i;
      EXPECT_EQ(first->command({"WAIT", "1", "5000"}), "1") << "the new master has the lease, too";
      promote(*second);
      sentinel->answer(ScriptedSentinel::address(second->port()));
      EXPECT_EQ(first->command({"CLIENT", "KILL", "TYPE", "normal"}).empty(), false);
      sentinel->announce("mymaster 127.0.0.1 1 127.0.0.1 " + std::to_string(second->port()));
      EXPECT_TRUE(eventually([&] { return cache.get_stats().server == address(*second); }));
      return i;
    });
    EXPECT_EQ(load(1), 1);
    EXPECT_EQ(cache.get_stats().fenced, 1u);
    EXPECT_TRUE(eventually([&] { return load(1) == 1 && load.peek(1) == 1; }));
    EXPECT_EQ(loads, 2);
  }
}

TEST_F(SentinelMaster, IsFlushedWhenItsPredecessorWas) {
  follow(*second, *first);
  CacheManager cache(options(true));
  ASSERT_TRUE(cache.set("k", "old", {.ttl = 1h}));
  ASSERT_TRUE(cache.set("raw", "old", {.ttl = 1h, .raw = true}));
  ASSERT_EQ(cache.increment("counter", 7), 7);
  ASSERT_EQ(first->command({"WAIT", "1", "5000"}), "1");
  promote(*second);  // and receives nothing of what follows
  cache.flush_all();
  ASSERT_EQ(cache.get_stats().pending_invalidations, 0u);
  sentinel->answer(ScriptedSentinel::address(second->port()));
  first->kill();
  ASSERT_TRUE(eventually([&] { return cache.get_stats().server == address(*second); }));
  EXPECT_FALSE(cache.get("k"));
  EXPECT_FALSE(cache.get("raw", {.raw = true}));
  for (const char* const key : {"dsta:k", "dsta:raw", "dsta:counter"}) {
    EXPECT_TRUE(eventually([&] { return second->command({"GET", key}) == "(nil)"; })) << key;
  }
}

TEST_F(SentinelMaster, IsReachedWhereTheMapSays) {
  sentinel->answer(ScriptedSentinel::address("10.255.255.7", "6379"));
  CacheManager cache(options(true, "?address_map=10.255.255.7:6379=" + address(*first)));
  EXPECT_TRUE(cache.set("k", "v"));
  EXPECT_TRUE(is_kept(cache, "k"));
  EXPECT_EQ(check_health(cache).server, address(*first));
  // What is announced is what is used already.
  sentinel->announce("mymaster 10.255.255.6 6379 10.255.255.7 6379");
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(cache.get_stats().l1_suspensions, 0u);
}

TEST_F(SentinelMaster, ThatCannotBeReachedIsNamedWithinTheDeadline) {
  const ReservedPort nobody;
  sentinel->answer(ScriptedSentinel::address(nobody.port()));
  CacheManager cache(options(false));
  const auto begun = std::chrono::steady_clock::now();
  const SetResult result = cache.set("k", "v");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  EXPECT_FALSE(result);
  EXPECT_NE(result.reason().find("127.0.0.1:" + std::to_string(nobody.port())), std::string::npos) << result.reason();
  EXPECT_NE(result.reason().find("address_map"), std::string::npos) << result.reason();
  EXPECT_FALSE(cache.get("k"));
  sentinel->answer("*-1\r\n");
  EXPECT_TRUE(eventually([&] {
    return check_health(cache).error.find("it knows no master of that name") != std::string::npos;
  })) << check_health(cache).error;
}

TEST_F(SentinelMaster, ThatSwallowsEverythingIsLeftOnceAnotherIsAnnounced) {
  FaultProxy hole(first->port());
  sentinel->answer(ScriptedSentinel::address(hole.port()));
  auto patient = options(true);
  patient.pool.socket_timeout = patient.pool.connect_timeout = 20s;
  CacheManager cache(patient);
  ASSERT_TRUE(cache.set("k", "v", {.ttl = 1h}));
  hole.set(testing_support::Fault::blackhole());
  std::atomic<bool> ended{false};
  std::thread caller([&] {
    (void)cache.get("k", {.level = Level::l2});
    ended = true;
  });
  sentinel->answer(ScriptedSentinel::address(second->port()));
  sentinel->announce("mymaster 127.0.0.1 1 127.0.0.1 " + std::to_string(second->port()));
  EXPECT_TRUE(eventually([&] { return ended && cache.get_stats().server == address(*second); }, 10s));
  caller.join();
}

TEST_F(SentinelMaster, IsFoundAtOnceWhileAnAttemptToConnectHangs) {
  testing_support::ScriptedServer silent([](std::string_view) { return testing_support::ScriptedServer::Reply{""}; });
  sentinel->answer(ScriptedSentinel::address(silent.port()));
  auto patient = options(false);
  patient.pool.socket_timeout = patient.pool.connect_timeout = 30s;
  CacheManager cache(patient);
  std::atomic<bool> stored{false};
  std::thread caller([&] { stored = bool(cache.set("k", "v")); });
  EXPECT_TRUE(eventually([&] { return silent.received().find("ROLE") != std::string::npos; }));
  EXPECT_TRUE(eventually([&] { return is_listened_to(*sentinel); }));
  sentinel->answer(ScriptedSentinel::address(first->port()));
  sentinel->announce("mymaster 127.0.0.1 1 127.0.0.1 " + std::to_string(first->port()));
  EXPECT_TRUE(eventually([&] { return stored.load(); }, 10s)) << "by the same call";
  caller.join();
}

TEST_F(SentinelMaster, IsNotLeftSinceOneSentinelOfThreeIsLate) {
  ScriptedSentinel b(ScriptedSentinel::address(first->port())), c(ScriptedSentinel::address(first->port()));
  auto three = options(true);
  three.url = "redis-sentinel://" + b.place() + "," + c.place() + "," + sentinel->place() + "/mymaster";
  sentinel->answer(ScriptedSentinel::address(second->port()));
  CacheManager cache(three);
  ASSERT_TRUE(cache.set("k", "v", {.ttl = 1h}));
  ASSERT_TRUE(eventually([&] { return is_listened_to(*sentinel) && is_listened_to(b) && is_listened_to(c); }));
  ASSERT_TRUE(is_kept(cache, "k"));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(cache.get_stats().l1_suspensions, 0u);
  EXPECT_EQ(cache.get_stats().server, address(*first));
  // Nor is the late one asked when connections are lost.
  first->command({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", "v", {.ttl = 1h})); }));
  EXPECT_EQ(cache.get_stats().server, address(*first));
}

TEST_F(SentinelMaster, IsFollowedByAnotherSentinelWhenOneFallsSilent) {
  ScriptedSentinel other(ScriptedSentinel::address(first->port()));
  auto both = options(false);
  both.url = "redis-sentinel://" + sentinel->place() + "," + other.place() + "/mymaster";
  CacheManager cache(both);
  ASSERT_TRUE(cache.set("k", "v"));
  ASSERT_TRUE(eventually([&] { return sentinel->received().find("SUBSCRIBE") != std::string::npos; }));
  sentinel->fall_silent();
  ASSERT_TRUE(eventually([&] { return other.received().find("SUBSCRIBE") != std::string::npos; }));
  ASSERT_TRUE(eventually([&] { return log().find("listened to (no answer in time)") != std::string::npos; })) << log();
  other.answer(ScriptedSentinel::address(second->port()));
  other.announce("mymaster 127.0.0.1 " + std::to_string(first->port()) + " 127.0.0.1 " +
                 std::to_string(second->port()));
  EXPECT_TRUE(eventually([&] { return bool(cache.set("k", "v")) && cache.get_stats().server == address(*second); }));
}

TEST_F(SentinelMaster, IsFollowedByTheChildOfAFork) {
  if (testing_support::kSanitized) GTEST_SKIP() << "sanitizers do not follow a fork with threads";
  for (const bool l1 : {true, false}) {
    promote(*first), promote(*second);
    sentinel->answer(ScriptedSentinel::address(first->port()));
    CacheManager cache(options(l1));
    ASSERT_TRUE(eventually([&] { return bool(cache.set("k", "v", {.ttl = 1h})); }));
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const bool here = eventually([&] { return bool(cache.set("child", "v")); });
      first->command({"SET", "forked", "1"});
      const bool moved = eventually(
          [&] { return (void)cache.get("child", {.level = Level::l2}), cache.get_stats().server == address(*second); });
      ::_exit(here && moved ? 0 : 1);
    }
    ASSERT_TRUE(eventually([&] { return first->command({"GET", "forked"}) == "1"; }));
    sentinel->answer(ScriptedSentinel::address(second->port()));
    ASSERT_EQ(first->command({"REPLICAOF", "127.0.0.1", std::to_string(second->port())}), "OK");
    EXPECT_TRUE(eventually([&] { return cache.get_stats().server == address(*second); }));
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "the child has followed";
  }
}

TEST_F(SentinelMaster, MustLetItsUserSeeWhatItIs) {
  RedisOptions guarded;
  guarded.users = {"app on >canary ~* &* +@all -role -info", "some on >canary ~* &* +@all -info"};
  RedisServer server(guarded);
  sentinel->answer(ScriptedSentinel::address(server.port()));
  const auto as = [&](const std::string& user) {
    auto made = options(true);
    made.url = "redis-sentinel://" + user + ":canary@" + sentinel->place() + "/mymaster";
    return made;
  };
  CacheManager refused(as("app"));
  EXPECT_NE(check_health(refused).error.find("ROLE: the user may not run it (NOPERM)"), std::string::npos)
      << check_health(refused).error;
  CacheManager cache(as("some"));
  EXPECT_TRUE(check_health(cache).healthy) << check_health(cache).error;
  ASSERT_TRUE(cache.set("k", "v"));
  EXPECT_TRUE(is_kept(cache, "k"));
  EXPECT_EQ(log().find("canary"), std::string::npos) << log();
}

TEST_F(SentinelMaster, IsReachedOverTlsAsItsSentinelsAre) {
  const testing_support::Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "there is no openssl tool to make certificates";
  const testing_support::RedisTls tls{certificates.certificate("server"), certificates.key("server"),
                                      certificates.certificate("ca"), true};
  RedisOptions serving;
  serving.tls = tls;
  serving.users = {"app on >canary ~* &* +@all", "default off"};
  RedisServer server(serving);
  testing_support::SentinelServer encrypted(
      {"sentinel monitor mymaster 127.0.0.1 " + std::to_string(server.port()) + " 1", "requirepass other-canary"}, tls);
  auto made = options(true);
  made.url = "rediss-sentinel://app:canary@127.0.0.1:" + std::to_string(encrypted.port()) + "/mymaster";
  made.sentinel.password = "other-canary";
  made.tls.ca_file = certificates.certificate("ca");
  made.tls.cert_file = certificates.certificate("client");
  made.tls.key_file = certificates.key("client");
  made.pool.connect_timeout = made.pool.socket_timeout = 2s;
  std::optional<CacheManager> cache;
  try {
    cache.emplace(made);
  } catch (const ConfigError& e) {
    GTEST_SKIP() << e.what();  // built without TLS
  }
  EXPECT_TRUE(check_health(*cache).healthy) << check_health(*cache).error;
  ASSERT_TRUE(cache->set("k", "v"));
  EXPECT_TRUE(is_kept(*cache, "k"));
  made.sentinel.password = "canary-wrong";
  CacheManager refused(made);
  EXPECT_NE(check_health(refused).error.find("WRONGPASS"), std::string::npos) << check_health(refused).error;
  EXPECT_EQ((log() + check_health(refused).error).find("canary"), std::string::npos) << log();
}

TEST_F(SentinelMaster, IsReachedByIpVersion6) {
  if (std::ifstream("/proc/net/if_inet6").peek() == std::ifstream::traits_type::eof()) GTEST_SKIP() << "no IPv6 here";
  RedisOptions both_versions;
  both_versions.config = {"bind 127.0.0.1 ::1"};
  RedisServer server(both_versions);
  testing_support::SentinelServer watching({"sentinel monitor mymaster ::1 " + std::to_string(server.port()) + " 1"});
  auto made = options(true);
  made.url = "redis-sentinel://[::1]:" + std::to_string(watching.port()) + "/mymaster";
  CacheManager cache(made);
  EXPECT_TRUE(cache.set("k", "v")) << check_health(cache).error;
  EXPECT_TRUE(is_kept(cache, "k"));
  EXPECT_EQ(cache.get_stats().server, "[::1]:" + std::to_string(server.port()));
}

TEST_F(SentinelMaster, RestartedInPlaceIsAnother) {
  CacheManager cache(options(true));
  ASSERT_TRUE(cache.set("k", "old", {.ttl = 1h}));
  ASSERT_EQ(first->command({"SAVE"}), "OK");
  ASSERT_TRUE(cache.del("k"));
  first->kill();
  first->start();  // with what was saved: the removal is undone
  ASSERT_NE(first->command({"GET", "dsta:k"}), "(nil)");
  EXPECT_TRUE(eventually([&] { return cache.get_stats().master_changes == 1; }));
  EXPECT_FALSE(cache.get("k"));
  EXPECT_TRUE(eventually([&] { return first->command({"GET", "dsta:k"}) == "(nil)"; }));
}

TEST_F(SentinelMaster, IsNotReadBeforeWhatItMissedIsPending) {
  follow(*second, *first);
  CacheManager cache(options(true));
  for (const char* const key : {"k", "n"}) ASSERT_TRUE(cache.set(key, "old", {.ttl = 1h}));
  ASSERT_EQ(first->command({"WAIT", "1", "5000"}), "1");
  promote(*second);  // and receives nothing of what follows
  ASSERT_TRUE(cache.del("k"));
  // Writes hang there, so what is repeated stays pending.
  ASSERT_EQ(second->command({"CLIENT", "PAUSE", "3000", "WRITE"}), "OK");
  sentinel->answer(ScriptedSentinel::address(second->port()));
  first->kill();
  ASSERT_TRUE(eventually([&] { return cache.get("n", {.level = Level::l2}) == "old"; })) << "it is read";
  EXPECT_FALSE(cache.get("k", {.level = Level::l2}));
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_NE(second->command({"GET", "dsta:k"}), "(nil)") << "although the former value is there";
  second->command({"CLIENT", "UNPAUSE"});
  EXPECT_TRUE(eventually([&] { return second->command({"GET", "dsta:k"}) == "(nil)"; }));
}

}  // namespace
}  // namespace dsta::cache
