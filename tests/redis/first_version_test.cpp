// A space that processes with version 1 of the format have written into, or still do.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "eventually.hpp"
#include "l2/values/envelope.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "server_info.hpp"
#include "stored_bytes.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct FirstVersion : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server.emplace();
    cache.emplace(over_redis(server->url(), GetParam(), 5s));
  }
  std::string bytes() const { return server->command({"GET", key}); }
  /// As a process with version 1 would have written what is there.
  void make_first() const {
    ASSERT_EQ(bytes()[3], 2);
    ASSERT_EQ(server->command({"SET", key, as_first_version(bytes()), "KEEPTTL"}), "OK");
  }
  std::string payload() const {
    const std::string stored = bytes();
    const auto decoded = detail::decode(stored, key);
    const auto* view = std::get_if<detail::EnvelopeView>(&decoded);
    return view ? std::string(view->payload) : "-1";
  }

  const std::string key = "dsta:f:load:1";
  std::optional<RedisServer> server;
  std::optional<CacheManager> cache;
  std::atomic<int> loads{0};
  const EntryOptions terms{.ttl = 60s, .prefix = "f", .name = "load"};
};
INSTANTIATE_TEST_SUITE_P(On, FirstVersion, ::testing::Bool(), [](const auto& of) { return levels_name(of.param); });

TEST_P(FirstVersion, ItsValuesAreHits) {
  const auto f = cache->cached(terms, [&](int) { return int{++loads}; });
  ASSERT_EQ(f(1), 1);
  make_first();
  CacheManager other(over_redis(server->url(), GetParam(), 5s));
  const auto g = other.cached(terms, [&](int) { return int{++loads}; });
  EXPECT_EQ(g(1), 1);
  EXPECT_EQ(loads, 1);
}

TEST_P(FirstVersion, ItsValuesAreRefreshedAgainAndAgain) {
  const auto f = cache->cached(terms, [&](int) { return int{++loads}; });
  f(1);
  make_first();
  for (int round = 2; round <= 4; ++round) {
    EXPECT_EQ(f.refresh(1), round);
    EXPECT_EQ(payload(), std::to_string(round)) << "what was refreshed is what others find";
  }
}

TEST_P(FirstVersion, ItsValuesAreRefreshedAheadAgainAndAgain) {
  EntryOptions short_terms = terms;
  short_terms.ttl = 40ms;
  short_terms.stale_for = 60s;
  const auto f = cache->cached(short_terms, [&](int) { return int{++loads}; });
  f(1);
  make_first();
  for (int round = 2; round <= 3; ++round) {
    EXPECT_TRUE(eventually([&] { return f(1), std::stoi(payload()) >= round; }, 5s)) << round;
  }
}

TEST_P(FirstVersion, ItsLeasesAreWaitedForAndItsProcessesStore) {
  const auto f = cache->cached(terms, [&](int) { return int{++loads}; });
  f(1);
  const std::string value = as_first_version(bytes());
  const std::string lease = as_first_version(detail::encode_lease({'a'}));
  ASSERT_EQ(server->command({"SET", key, lease, "PX", "60000"}), "OK");
  CacheManager other(over_redis(server->url(), GetParam(), 5s));
  const auto g = other.cached(terms, [&](int) { return int{++loads}; });
  std::atomic<int> got{0};
  const auto reads = [&] { return calls_of(*server, "get") + calls_of(*server, "mget"); };
  const auto before = reads();
  std::jthread waits([&] { got = g(1); });
  EXPECT_TRUE(eventually([&] { return reads() >= before + 2; }, 5s));
  ASSERT_EQ(server->command({"SET", key, value, "PX", "60000"}), "OK");
  waits.join();
  EXPECT_EQ(got, 1);
  EXPECT_EQ(loads, 1) << "it waited";
}

}  // namespace
}  // namespace dsta::cache
