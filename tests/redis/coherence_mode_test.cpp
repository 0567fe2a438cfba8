// Which mode of coherence a server gets, and what holds in each: a change by this library is heard in all of them.
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "refusing_proxy.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

const EntryOptions kMinute{.ttl = 60s};

struct CoherenceModes : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  /// A server whose users `app` and `full` may run all but, of the first, what is taken.
  void start(const std::string& taken) {
    RedisOptions options;
    options.users = {"app on >pw ~* &* +@all " + taken, "full on >pw ~* &* +@all"};
    server = std::make_unique<RedisServer>(options);
  }
  std::string url(const std::string& user) const {
    return "redis://" + user + ":pw@127.0.0.1:" + std::to_string(server->port());
  }
  ManagerOptions options(const std::string& user, CoherenceMode mode = CoherenceMode::automatic) {
    return logged(over_redis(url(user), true, 2s), mode);
  }
  ManagerOptions logged(ManagerOptions given, CoherenceMode mode = CoherenceMode::automatic) {
    given.l1.coherence = mode;
    given.l1.untracked_ttl = 1h;  // so that it hides nothing
    given.log.level = LogLevel::warning;
    given.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex);
      log.emplace_back(message);
    };
    return given;
  }
  std::vector<std::string> said() {
    const std::lock_guard lock(mutex);
    return log;
  }
  static CoherenceMode mode(CacheManager& cache) { return cache.get_stats().coherence; }
  static bool becomes(CacheManager& cache, CoherenceMode wanted) {
    return eventually([&] { return mode(cache) == wanted; });
  }
  static Source source(CacheManager& cache, const std::string& key) { return cache.lookup<int>(key).source; }
  /// What one changes leaves L1 of the other.
  void expect_heard(CacheManager& from, CacheManager& to) {
    const auto f = to.cached({.ttl = 60s, .prefix = "f", .tags = {"tag"}}, [](int i) { return i; });
    const auto there = from.cached({.ttl = 60s, .prefix = "f", .tags = {"tag"}}, [](int i) { return i; });
    const auto keep = [&] {
      return eventually([&] { return to.set("k", 1, kMinute) && source(to, "k") == Source::l1 && f(1) == 1; });
    };
    const auto is_gone = [&] { return eventually([&] { return source(to, "k") != Source::l1; }, 5s); };
    const auto changes = {std::pair<const char*, std::function<void()>>{"set", [&] { from.set("k", 2, kMinute); }},
                          {"del", [&] { from.del("k"); }},
                          {"del_many",
                           [&] {
                             from.del_many({"k", "l"});
                           }},
                          {"set_many",
                           [&] {
                             from.set_many<int>({{"k", 2}, {"l", 2}}, kMinute);
                           }},
                          {"delete_pattern", [&] { from.delete_pattern("k*"); }},
                          {"increment", [&] { from.increment("k"); }},
                          {"flush_all", [&] { from.flush_all(); }}};
    for (const auto& [name, change] : changes) {
      ASSERT_TRUE(keep()) << name;
      change();
      EXPECT_TRUE(is_gone()) << name;
    }
    const auto by_function = {std::pair<const char*, std::function<void()>>{"invalidate", [&] { there.invalidate(1); }},
                              {"put", [&] { there.put(1, 2); }},
                              {"refresh", [&] { there.refresh(1); }},
                              {"invalidate_tag", [&] { from.invalidate_tag("tag"); }},
                              {"cache_clear", [&] { there.cache_clear(); }},
                              {"invalidate_matching", [&] { there.invalidate_matching(1); }}};
    for (const auto& [name, change] : by_function) {
      ASSERT_TRUE(eventually([&] { return f(1) > 0 && source(to, f.key_for(1)) == Source::l1; })) << name;
      change();
      EXPECT_TRUE(eventually([&] { return source(to, f.key_for(1)) != Source::l1; }, 5s)) << name;
    }
  }

  std::unique_ptr<RedisServer> server;
  std::mutex mutex;
  std::vector<std::string> log;  // under mutex
};

TEST_F(CoherenceModes, AServerThatOffersTrackingGetsIt) {
  start("");
  CacheManager cache(options("app"));
  ASSERT_TRUE(l1_is_up(cache));
  EXPECT_EQ(mode(cache), CoherenceMode::tracking);
  const Health health = check_health(cache);
  EXPECT_EQ(health.coherence, CoherenceMode::tracking);
  EXPECT_EQ(health.warning, "");
  EXPECT_EQ(said().size(), 0u);
  EXPECT_NE(cache.get_stats().to_json().find("\"coherence\":\"tracking\""), std::string::npos);
}

TEST_F(CoherenceModes, WithoutTrackingChangesAreAnnounced) {
  for (const std::string taken : {"-client", "-client|tracking", "-client|id"}) {
    SCOPED_TRACE(taken);
    start(taken);
    log.clear();
    CacheManager a(options("app")), b(options("app"));
    ASSERT_TRUE(l1_is_up(a));
    ASSERT_TRUE(l1_is_up(b));
    EXPECT_EQ(mode(a), CoherenceMode::announcements);
    expect_heard(a, b);
    expect_heard(b, a);
    EXPECT_EQ(said().size(), 2u) << "each says once what is not heard: " << ::testing::PrintToString(said());
    EXPECT_NE(said()[0].find("NOPERM"), std::string::npos) << said()[0];
    EXPECT_NE(said()[0].find("untracked_ttl"), std::string::npos) << said()[0];
    const Health health = check_health(a);
    EXPECT_TRUE(health.healthy) << health.error;
    EXPECT_EQ(health.coherence, CoherenceMode::announcements);
    EXPECT_NE(health.warning.find("untracked_ttl"), std::string::npos) << health.warning;
    EXPECT_EQ(a.get_stats().l1_suspensions, 0u);
  }
}

TEST_F(CoherenceModes, AServerThatDoesNotKnowClientIsAnnouncedOn) {
  RedisOptions old;
  old.config = {"rename-command CLIENT \"\""};
  server = std::make_unique<RedisServer>(old);
  CacheManager a(logged(over_redis(server->url(), true, 2s))), b(logged(over_redis(server->url(), true, 2s)));
  ASSERT_TRUE(l1_is_up(a));
  ASSERT_TRUE(l1_is_up(b));
  EXPECT_EQ(mode(a), CoherenceMode::announcements);
  expect_heard(a, b);
}

/// As Redis Cloud and Dragonfly do: CLIENT TRACKING is there, but neither REDIRECT nor BCAST.
TEST_F(CoherenceModes, AServerWithoutRedirectionIsAnnouncedOn) {
  start("");
  const RefusingProxy proxy(server->port(), [](const auto& words) {
    return words.size() > 3 && upper(words[0]) == "CLIENT" && upper(words[1]) == "TRACKING" && upper(words[2]) == "ON";
  });
  CacheManager a(logged(over_redis(proxy.url(), true, 2s))), b(logged(over_redis(proxy.url(), true, 2s)));
  ASSERT_TRUE(l1_is_up(a));
  ASSERT_TRUE(l1_is_up(b));
  EXPECT_EQ(mode(b), CoherenceMode::announcements);
  expect_heard(a, b);
}

/// As twemproxy does, but it knows PUBLISH and SUBSCRIBE.
TEST_F(CoherenceModes, AServerThatEndsTheConnectionIsAnnouncedOn) {
  start("");
  const RefusingProxy proxy(
      server->port(), [](const auto& words) { return upper(words[0]) == "CLIENT"; }, RefusingProxy::By::end);
  CacheManager a(logged(over_redis(proxy.url(), true, 2s))), b(logged(over_redis(proxy.url(), true, 2s)));
  ASSERT_TRUE(l1_is_up(a));
  ASSERT_TRUE(l1_is_up(b));
  EXPECT_EQ(mode(b), CoherenceMode::announcements);
  expect_heard(a, b);
}

/// The server says yes and reports nothing, as a proxy does that shares its connections.
TEST_F(CoherenceModes, TrackingThatReportsNothingIsReplaced) {
  start("");
  const RefusingProxy proxy(server->port(), [](const auto& words) {
    return upper(words[0]) == "SUBSCRIBE" && words[1].find("__redis__") != std::string_view::npos;
  });
  CacheManager cache(logged(over_redis(proxy.url(), true, 2s)));
  ASSERT_TRUE(l1_is_up(cache));
  EXPECT_EQ(mode(cache), CoherenceMode::announcements);
}

TEST_F(CoherenceModes, WithoutMessagesL1KeepsNoCopies) {
  for (const std::string taken : {"resetchannels", "-subscribe", "-client -publish"}) {
    SCOPED_TRACE(taken);
    start(taken);
    log.clear();
    CacheManager cache(options("app"));
    ASSERT_TRUE(becomes(cache, CoherenceMode::off));
    ASSERT_TRUE(cache.set("k", 1, kMinute));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(source(cache, "k"), Source::l2);
    const Health health = check_health(cache);
    EXPECT_TRUE(health.healthy) << health.error;
    EXPECT_EQ(health.coherence, CoherenceMode::off);
    EXPECT_NE(health.warning.find("keeps no copies"), std::string::npos) << health.warning;
    ASSERT_EQ(said().size(), 1u) << ::testing::PrintToString(said());
    EXPECT_NE(said()[0].find("NOPERM"), std::string::npos) << said()[0];
  }
}

TEST_F(CoherenceModes, AModeThatIsNamedIsTheOnlyOne) {
  start("-client|tracking");
  CacheManager tracking(options("app", CoherenceMode::tracking));
  CacheManager announcing(options("full", CoherenceMode::announcements));
  CacheManager off(options("full", CoherenceMode::off));
  ASSERT_TRUE(l1_is_up(announcing));
  EXPECT_EQ(mode(announcing), CoherenceMode::announcements);
  EXPECT_TRUE(becomes(tracking, CoherenceMode::off)) << "refused";
  EXPECT_EQ(mode(off), CoherenceMode::off);
  EXPECT_EQ(check_health(off).warning, "") << "as it was asked for";
  ASSERT_TRUE(off.set("k", 1, kMinute));
  EXPECT_EQ(source(off, "k"), Source::l2);
  const EntryOptions own{.ttl = 60s, .tags = {"t"}, .level = Level::l1};
  ASSERT_TRUE(off.set("own", 1, own));
  EXPECT_EQ(off.get<int>("own", own), 1) << "what never reaches the server is kept";
}

TEST_F(CoherenceModes, MixedFleetsHearEachOther) {
  start("-client");
  CacheManager tracking(options("full"));
  ASSERT_TRUE(l1_is_up(tracking));
  CacheManager announcing(options("app"));
  ASSERT_TRUE(l1_is_up(announcing));
  ASSERT_EQ(mode(tracking), CoherenceMode::tracking);
  ASSERT_EQ(mode(announcing), CoherenceMode::announcements);
  expect_heard(tracking, announcing);
  expect_heard(announcing, tracking);
  // One that comes later, and one that has nothing to listen with.
  CacheManager later(options("full"));
  ASSERT_TRUE(l1_is_up(later));
  expect_heard(later, announcing);
  ManagerOptions without = options("full");
  without.l1.enabled = false;
  CacheManager l2_only(std::move(without));
  expect_heard(l2_only, announcing);
}

TEST_F(CoherenceModes, WithoutListenersNothingIsAnnounced) {
  start("");
  CacheManager a(options("app"));
  ASSERT_TRUE(l1_is_up(a));
  ASSERT_TRUE(a.set("k", 1, kMinute));
  a.del("k");
  EXPECT_EQ(server->command({"INFO", "commandstats"}).find("cmdstat_publish"), std::string::npos);
}

TEST_F(CoherenceModes, WhatIsNotAnnouncedIsSeenInBoundedTime) {
  start("");
  const auto clock = std::make_shared<testing::ManualClock>();
  ManagerOptions bounded = options("app", CoherenceMode::announcements);
  bounded.l1.untracked_ttl = 5s;
  bounded.clock = clock;
  CacheManager cache(std::move(bounded));
  ASSERT_TRUE(l1_is_up(cache));
  ASSERT_TRUE(cache.set("k", 1, {.ttl = 600s}));
  ASSERT_EQ(source(cache, "k"), Source::l1);
  EXPECT_GT(*cache.get_ttl("k"), 590s) << "L2 knows how long it lives";
  server->command({"UNLINK", "dsta:k"});  // another program
  clock->advance(4900ms);
  EXPECT_EQ(source(cache, "k"), Source::l1);
  clock->advance(200ms);
  EXPECT_FALSE(cache.get<int>("k"));
  // The same for what was found there, and loaded.
  CacheManager other(options("full"));
  ASSERT_TRUE(other.set("found", 1, {.ttl = 600s}));
  const auto f = cache.cached({.ttl = 600s, .prefix = "f"}, [](int i) { return i; });
  f(1);
  EXPECT_TRUE(eventually([&] { return source(cache, "found") == Source::l1; })) << "once the announcement has come";
  EXPECT_EQ(source(cache, f.key_for(1)), Source::l1);
  clock->advance(5100ms);
  EXPECT_EQ(source(cache, "found"), Source::l2);
  EXPECT_EQ(source(cache, f.key_for(1)), Source::l2);
}

TEST_F(CoherenceModes, APatternReachesWhatTheServerHasEvicted) {
  start("");
  CacheManager a(options("full", CoherenceMode::announcements)), b(options("full", CoherenceMode::announcements));
  ASSERT_TRUE(l1_is_up(a));
  ASSERT_TRUE(l1_is_up(b));
  ASSERT_TRUE(a.set("pattern:k", 1, kMinute));
  ASSERT_EQ(source(a, "pattern:k"), Source::l1);
  server->command({"UNLINK", "dsta:pattern:k"});  // evicted: nobody is told
  b.delete_pattern("pattern:*");
  EXPECT_TRUE(eventually([&] { return source(a, "pattern:k") == Source::none; }, 5s));
}

TEST_F(CoherenceModes, ALostChannelOfAnnouncementsEmptiesL1) {
  start("");
  CacheManager cache(options("full", CoherenceMode::announcements));
  ASSERT_TRUE(l1_is_up(cache));
  ASSERT_TRUE(cache.set("k", 1, kMinute));
  ASSERT_EQ(source(cache, "k"), Source::l1);
  server->command({"CLIENT", "KILL", "TYPE", "pubsub"});
  EXPECT_TRUE(eventually([&] { return cache.get_stats().l1_suspensions == 1; }));
  EXPECT_TRUE(l1_is_up(cache));
  server->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(eventually([&] { return cache.get_stats().l1_suspensions == 2; }));
  EXPECT_TRUE(l1_is_up(cache));
}

/// The probes go out by one connection and come back by the other.
TEST_F(CoherenceModes, AChannelThatDeliversNothingGoesDown) {
  start("");
  FaultProxy proxy(server->port());
  ManagerOptions given = logged(over_redis(proxy.url(), true, 2s), CoherenceMode::announcements);
  given.l1.ping_period = 200ms;
  CacheManager cache(std::move(given));
  ASSERT_TRUE(l1_is_up(cache));
  proxy.set(Fault::swallow_reply().on("push"));
  EXPECT_TRUE(eventually([&] { return cache.get_stats().l1_suspensions == 1; }));
  proxy.clear();
  EXPECT_TRUE(l1_is_up(cache));
}

/// The server answers, and its messages do not come.
TEST_F(CoherenceModes, AProbeThatIsLostTakesTheChannelDown) {
  start("");
  std::atomic<bool> loses{false};
  const auto is_probe = [&](const std::vector<std::string_view>& words) {
    return loses && upper(words[0]) == "PUBLISH" && words[1].find(":changes:") != std::string_view::npos;
  };
  const RefusingProxy proxy(server->port(), is_probe, RefusingProxy::By::lie);
  ManagerOptions given = logged(over_redis(proxy.url(), true, 2s), CoherenceMode::announcements);
  given.l1.ping_period = 200ms;
  CacheManager cache(std::move(given));
  ASSERT_TRUE(l1_is_up(cache));
  loses = true;
  EXPECT_TRUE(eventually([&] { return cache.get_stats().l1_suspensions >= 1; }));
  loses = false;
  EXPECT_TRUE(l1_is_up(cache));
}

/// The data connection has come to another server than the channel's.
TEST_F(CoherenceModes, AChannelThatLeadsElsewhereIsMadeAgain) {
  start("");
  const RedisServer other;
  FaultProxy proxy(server->port());
  ManagerOptions given =
      logged(over_redis("redis://127.0.0.1:" + std::to_string(proxy.port()), true, 2s), CoherenceMode::announcements);
  given.l1.ping_period = 200ms;
  CacheManager cache(std::move(given));
  ASSERT_TRUE(l1_is_up(cache));
  proxy.set_server(other.port());
  server->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(eventually([&] { return cache.get_stats().l1_suspensions >= 1; }));
  EXPECT_TRUE(l1_is_up(cache));
  CacheManager there(over_redis("redis://127.0.0.1:" + std::to_string(other.port()), false, 2s));
  ASSERT_TRUE(eventually([&] { return cache.set("k", 1, kMinute) && source(cache, "k") == Source::l1; }));
  there.del("k");
  EXPECT_TRUE(eventually([&] { return source(cache, "k") != Source::l1; }, 5s)) << "it hears the other server";
}

/// A write that may have been executed without its announcement.
TEST_F(CoherenceModes, AWriteWithoutAReplyIsUndoneAndAnnounced) {
  start("");
  FaultProxy proxy(server->port());
  CacheManager reader(options("full", CoherenceMode::announcements));
  CacheManager writer(logged(over_redis(proxy.url(), true, 500ms), CoherenceMode::announcements));
  ASSERT_TRUE(l1_is_up(reader));
  ASSERT_TRUE(l1_is_up(writer));
  ASSERT_TRUE(writer.set("k", 1, kMinute));
  ASSERT_TRUE(eventually([&] { return reader.get<int>("k") == 1 && source(reader, "k") == Source::l1; }));
  proxy.set(Fault::swallow_reply().on("PUBLISH").times(1));
  EXPECT_TRUE(writer.set("k", 2, kMinute) == SetResult::unknown);
  proxy.clear();
  EXPECT_TRUE(eventually([&] { return writer.get_stats().pending_invalidations == 0; }));
  EXPECT_TRUE(eventually([&] { return !reader.get<int>("k"); }, 5s));
}

TEST_F(CoherenceModes, ARefusedAnnouncementIsSaidOnceAndWritesGoOn) {
  start("-publish");
  CacheManager listener(options("full", CoherenceMode::announcements));
  ASSERT_TRUE(l1_is_up(listener));
  CacheManager writer(options("app"));
  ASSERT_TRUE(l1_is_up(writer)) << "it tracks";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(writer.set("k" + std::to_string(i), i, kMinute));
  EXPECT_TRUE(eventually([&] { return !said().empty(); }));
  int about = 0;
  for (const std::string& message : said()) about += message.find("PUBLISH") != std::string::npos;
  EXPECT_EQ(about, 1) << ::testing::PrintToString(said());
}

}  // namespace
}  // namespace dsta::cache
