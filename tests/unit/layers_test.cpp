// What stands on the manager: strategies, statistics, the hit-rate alarm, the health check, the program's own manager.
#include <dsta/cache/global.hpp>
#include <dsta/cache/health.hpp>
#include <dsta/cache/strategies.hpp>
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <nlohmann/json.hpp>

#include <stdexcept>
#include <string>

#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

int twice(int n) { return 2 * n; }

struct Strategies : ::testing::Test, testing::CleanCache {
  CacheStrategies strategies{cache};
};

TEST_F(Strategies, EachHasThePrefixAndTtlOfItsKindOfData) {
  const auto api = strategies.api_response_cache()(twice);
  const auto db = strategies.database_query_cache()(twice);
  const auto indicator = strategies.indicator_cache()(twice);
  const auto session = strategies.session_cache()(twice);
  api(1), db(1), indicator(1), session(1);
  EXPECT_EQ(cache.get_ttl("api:1"), 60s);
  EXPECT_EQ(cache.get_ttl("db:1"), 300s);
  EXPECT_EQ(cache.get_ttl("indicator:1"), 1h);
  EXPECT_EQ(cache.get_ttl("session:1"), 30min);
}

TEST_F(Strategies, ATtlAndANameMayBeGiven) {
  const auto ticker = strategies.api_response_cache(5s, "ticker")(twice);
  const auto depth = strategies.api_response_cache(7s, "depth")([](int n) { return -n; });
  EXPECT_EQ(ticker(1), 2);
  EXPECT_EQ(depth(1), -1);
  EXPECT_EQ(cache.get_ttl("api:ticker:1"), 5s);
  EXPECT_EQ(cache.get_ttl("api:depth:1"), 7s);
}

TEST_F(Strategies, TwoFunctionsWithoutNamesAreRefused) {
  const auto first = strategies.session_cache()(twice);
  EXPECT_THROW((void)strategies.session_cache()([](int n) { return n; }), ConfigError);
}

struct Statistics : ::testing::Test, testing::CleanCache {};

TEST_F(Statistics, CountWhatHappenedPerManagerPrefixAndFunction) {
  const auto f = cache.cached({.prefix = "api", .name = "f"}, twice);
  f(1), f(1), f(2);                                // 1 hit, 2 misses, 2 sets
  cache.set("a", 1, {.prefix = "api"});            // 1 set
  (void)cache.get<int>("a", {.prefix = "api"});    // 1 hit
  (void)cache.get<int>("b", {.prefix = "other"});  // 1 miss
  cache.del("a", {.prefix = "api"});
  const CacheStats all = cache.get_stats();
  EXPECT_EQ(std::tuple(all.hits, all.misses, all.sets, all.deletes), std::tuple(2u, 3u, 3u, 1u));
  EXPECT_EQ(std::tuple(all.total_requests, all.loads, all.entries), std::tuple(5u, 2u, 2u));
  EXPECT_DOUBLE_EQ(all.hit_rate, 0.4);
  EXPECT_EQ(all.hit_rate_text(), "40.00%");
  auto prefixes = cache.get_stats_by_prefix();
  EXPECT_EQ(std::tuple(prefixes["api"].hits, prefixes["api"].misses, prefixes["api"].sets), std::tuple(2u, 2u, 3u));
  EXPECT_EQ(std::tuple(prefixes["other"].hits, prefixes["other"].misses), std::tuple(0u, 1u));
  EXPECT_EQ(f.cache_info().hits, 1u);
  CacheManager other;
  EXPECT_EQ(other.get_stats().total_requests, 0u);
}

TEST_F(Statistics, RestartFromZeroAfterClearStatsAndEntriesStay) {
  cache.set("a", 1);
  (void)cache.get<int>("a");
  const CacheStats before = cache.get_stats();
  cache.clear_stats();
  const CacheStats after = cache.get_stats();
  EXPECT_EQ(before.hits, 1u) << "a value, not a view";
  EXPECT_EQ(std::tuple(after.hits, after.sets, after.total_requests), std::tuple(0u, 0u, 0u));
  EXPECT_EQ(after.entries, 1u);
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.hit_rate_text(), "0.00%");
  EXPECT_TRUE(cache.get_stats_by_prefix().empty());
}

TEST_F(Statistics, AreOneJsonObjectWithEveryFieldByItsName) {
  cache.set("a", 1);
  for (int i = 0; i < 2; ++i) (void)cache.get<int>("a");
  (void)cache.get<int>("b");
  const CacheStats stats = cache.get_stats();
  const auto json = nlohmann::json::parse(stats.to_json());
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json.size(), 34u);
  EXPECT_EQ(json.at("coherence"), "off") << "of the server, too";
  for (const char* of_the_server : {"l2_hits", "l2_errors", "unknown_writes", "l1_suspensions", "pending_invalidations",
                                    "master_changes", "connections", "large_connections", "connections_made"}) {
    EXPECT_EQ(json.at(of_the_server), 0u) << of_the_server;
  }
  EXPECT_EQ(json.at("server"), "");
  EXPECT_EQ(json.at("topology"), "");
  EXPECT_EQ(json.at("hits"), 2u);
  EXPECT_EQ(json.at("misses"), 1u);
  EXPECT_EQ(json.at("sets"), 1u);
  EXPECT_EQ(json.at("total_requests"), 3u);
  EXPECT_NEAR(json.at("hit_rate").get<double>(), 2.0 / 3, 1e-6);
  EXPECT_EQ(json.at("bytes"), stats.bytes);
  EXPECT_EQ(nlohmann::json::parse(CacheStats{}.to_json()).at("hit_rate"), 0.0);
  CacheStats odd;
  odd.server = "/run/\"a\\b\n";
  EXPECT_EQ(nlohmann::json::parse(odd.to_json()).at("server"), odd.server);
}

TEST_F(Statistics, CountRememberedEmptyResultsAsNegativeHits) {
  const auto f = cache.cached({.prefix = "n", .negative_ttl = 5s}, [](int) { return std::optional<int>(); });
  f(1), f(1), f(1);
  EXPECT_EQ(cache.get_stats().hits, 2u);
  EXPECT_EQ(cache.get_stats().negative_hits, 2u);
}

TEST_F(Statistics, EntriesAreThoseWhoseTimeIsNotOver) {
  for (int i = 0; i < 100; ++i) cache.set("k" + std::to_string(i), i, {.ttl = i < 40 ? Duration(2h) : Duration(200h)});
  clock->advance(2h + 3s);
  EXPECT_EQ(cache.get_stats().entries, 60u);
  EXPECT_EQ(cache.get_stats().expirations, 40u);
}

struct LowHitRate : ::testing::Test {
  void requests(int hits, int misses) {
    clean.cache.set("hit", 1);
    for (int i = 0; i < hits; ++i) (void)clean.cache.get<int>("hit");
    for (int i = 0; i < misses; ++i) (void)clean.cache.get<int>("miss");
  }
  void look() {
    clean.clock->advance(60s);
    background->await_and_run();
  }
  std::shared_ptr<testing_support::HandExecutor> background = std::make_shared<testing_support::HandExecutor>();
  testing::CleanCache clean{{.executor = background, .log = {.level = LogLevel::off}}};
  std::vector<CacheStats> alarms;
};

TEST_F(LowHitRate, IsReportedOncePerFallBelowTheThreshold) {
  clean.cache.on_low_hit_rate(0.8, [&](const CacheStats& window) { alarms.push_back(window); });
  requests(90, 10), look();
  EXPECT_EQ(alarms.size(), 0u);
  requests(50, 50), look();
  ASSERT_EQ(alarms.size(), 1u);
  EXPECT_EQ(std::tuple(alarms[0].hits, alarms[0].misses, alarms[0].total_requests), std::tuple(50u, 50u, 100u));
  EXPECT_DOUBLE_EQ(alarms[0].hit_rate, 0.5);
  requests(10, 90), look();
  EXPECT_EQ(alarms.size(), 1u) << "still low: no second alarm";
  requests(80, 20), look();
  EXPECT_EQ(alarms.size(), 1u) << "at the threshold is not below it";
  requests(79, 21), look();
  EXPECT_EQ(alarms.size(), 2u);
}

TEST_F(LowHitRate, IsOfTheRequestsSinceItWasAskedFor) {
  requests(0, 1'000);
  clean.cache.on_low_hit_rate(0.8, [&](const CacheStats& window) { alarms.push_back(window); });
  requests(100, 0), look();
  EXPECT_EQ(alarms.size(), 0u);
  requests(0, 100), look();
  EXPECT_EQ(alarms.size(), 1u);
}

TEST_F(LowHitRate, IsNotReportedOnTooFewRequests) {
  clean.cache.on_low_hit_rate(0.8, [&](const CacheStats& window) { alarms.push_back(window); }, {.min_requests = 100});
  requests(0, 60), look();
  EXPECT_EQ(alarms.size(), 0u);
  requests(0, 60), look();
  ASSERT_EQ(alarms.size(), 1u) << "few requests add up over the intervals";
  EXPECT_EQ(alarms[0].total_requests, 120u);
}

TEST_F(LowHitRate, SurvivesClearedStatisticsAndACallbackThatThrows) {
  clean.cache.on_low_hit_rate(0.8, [&](const CacheStats& window) {
    alarms.push_back(window);
    throw std::runtime_error("the pager is down");
  });
  requests(1000, 0), look();
  clean.cache.clear_stats();
  requests(0, 200), look();
  EXPECT_EQ(alarms.size(), 1u);
  requests(2000, 0), look();
  clean.cache.clear_stats();
  requests(0, 5000), look();  // more requests than before the statistics were cleared
  ASSERT_EQ(alarms.size(), 2u);
  EXPECT_EQ(alarms[1].misses, 5000u);
}

TEST_F(LowHitRate, IsOfTheRequestsSinceStatisticsWereCleared) {
  clean.cache.on_low_hit_rate(0.8, [&](const CacheStats& window) { alarms.push_back(window); });
  requests(900, 100), look();
  clean.cache.clear_stats();
  requests(1000, 250), look();  // more than before, of each kind: the differences are no rate
  EXPECT_EQ(alarms.size(), 0u);
  clean.cache.clear_stats(), clean.cache.clear_stats();
  requests(1000, 260), look();
  ASSERT_EQ(alarms.size(), 1u);
  EXPECT_EQ(std::tuple(alarms[0].hits, alarms[0].misses), std::tuple(1000u, 260u));
}

TEST_F(LowHitRate, IsNotReportedWithoutRequests) {
  clean.cache.on_low_hit_rate(0.8, [&](const CacheStats& window) { alarms.push_back(window); }, {.min_requests = 0});
  requests(10, 10), look();
  EXPECT_EQ(alarms.size(), 1u);
  look(), look();
  requests(10, 10), look();
  EXPECT_EQ(alarms.size(), 1u) << "an interval without requests has no rate, and so ends no fall";
}

TEST_F(LowHitRate, RefusesWhatIsNoRateAndWhatCannotBeCalled) {
  EXPECT_THROW(clean.cache.on_low_hit_rate(1.1, [](const CacheStats&) {}), ConfigError);
  EXPECT_THROW(clean.cache.on_low_hit_rate(-0.1, [](const CacheStats&) {}), ConfigError);
  EXPECT_THROW(clean.cache.on_low_hit_rate(0.8, nullptr), ConfigError);
  EXPECT_THROW(clean.cache.on_low_hit_rate(0.8, [](const CacheStats&) {}, {.interval = 0s}), ConfigError);
}

TEST(HealthCheck, AWorkingCacheIsHealthyAndKeepsNoTraceOfTheCheck) {
  CacheManager cache;
  const Health health = check_health(cache);
  EXPECT_TRUE(health.healthy) << health.error;
  EXPECT_EQ(health.backend, "memory");
  EXPECT_GT(health.latency, 0ns);
  EXPECT_EQ(cache.get_stats().entries, 0u);
  EXPECT_EQ(cache.get_stats().total_requests, 0u);
  EXPECT_EQ(cache.get_stats().sets, 0u);
}

TEST(HealthCheck, ACacheThatCanStoreNothingIsNotHealthy) {
  CacheManager tiny({.l1 = {.max_bytes = 64}});
  const Health health = check_health(tiny);
  EXPECT_FALSE(health.healthy);
  EXPECT_NE(health.error, "");
}

TEST(GlobalManager, IsOneForTheProgramAndTheDecoratorUsesIt) {
  unsetenv("DSTA_CACHE_URL"), unsetenv("REDIS_URL");
  const auto f = cached(60s, "global", "twice")(twice);
  const auto g = cached(EntryOptions{.ttl = 30s, .prefix = "global", .name = "g"})([](int n) { return n; });
  EXPECT_EQ(f(4), 8);
  EXPECT_EQ(g(4), 4);
  EXPECT_EQ(cache_manager().get<int>("global:twice:4"), 8);
  EXPECT_LE(cache_manager().get_ttl("global:g:4"), 30s);
  EXPECT_EQ(&cache_manager(), &cache_manager());
}

}  // namespace
}  // namespace dsta::cache
