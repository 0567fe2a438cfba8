// Coherence by announcements where the server, or a message, is not as it should be.
#include <dsta/cache/manager.hpp>
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Announcements : ::testing::Test {
  static inline const EntryOptions kAnHour{.ttl = 1h};

  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server = std::make_unique<RedisServer>();
  }
  void TearDown() override {
    if (server) server->command({"CLIENT", "UNPAUSE"});
  }
  static ManagerOptions announcing(const std::string& url, std::chrono::milliseconds deadline = 2s) {
    ManagerOptions given = over_redis(url, true, deadline);
    given.l1.coherence = CoherenceMode::announcements;
    given.l1.untracked_ttl = 1h;  // so that it hides nothing
    return given;
  }
  static Source source_of(CacheManager& cache, const std::string& key) { return cache.lookup<int>(key).source; }
  /// `reader` has it in L1.
  static bool keeps(CacheManager& reader, const std::string& key, int value) {
    return eventually([&] { return reader.get<int>(key) == value && source_of(reader, key) == Source::l1; });
  }

  std::unique_ptr<RedisServer> server;
};

TEST_F(Announcements, NoReadWaitsBehindAProbeThatWaits) {
  CacheManager cache(announcing(server->url(), 300ms));
  ASSERT_TRUE(l1_is_up(cache));
  const EntryOptions there{.ttl = 1h, .level = Level::l2};
  ASSERT_TRUE(cache.set("k", 1, there));
  server->command({"CLIENT", "PAUSE", "60000", "WRITE"});
  int slow = 0, missed = 0;
  for (const auto end = std::chrono::steady_clock::now() + 4s; std::chrono::steady_clock::now() < end;) {
    const auto begun = std::chrono::steady_clock::now();
    missed += cache.get<int>("k", there) == 1 ? 0 : 1;
    slow += std::chrono::steady_clock::now() - begun > 150ms ? 1 : 0;
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_EQ(slow, 0);
  EXPECT_EQ(missed, 0);
  EXPECT_NE(source_of(cache, "warm"), Source::l1) << "nor is L1 trusted meanwhile";
  server->command({"CLIENT", "UNPAUSE"});
  EXPECT_TRUE(l1_is_up(cache));
}

/// The write was done, and nobody has heard of it.
TEST_F(Announcements, APublishThatFailsOnceIsMadeUpFor) {
  FaultProxy proxy(server->port());
  CacheManager reader(announcing(server->url())), writer(announcing(proxy.url()));
  ASSERT_TRUE(l1_is_up(reader));
  ASSERT_TRUE(l1_is_up(writer));
  ASSERT_TRUE(writer.set("k", 1, kAnHour));
  ASSERT_TRUE(keeps(reader, "k", 1));
  proxy.set(Fault::error_reply("ERR upstream failure").on("PUBLISH").times(1));
  EXPECT_TRUE(writer.set("k", 2, kAnHour) == SetResult::unknown);
  proxy.clear();
  EXPECT_TRUE(eventually([&] { return reader.get<int>("k") != 1; }, 5s));
  EXPECT_TRUE(eventually([&] { return writer.get_stats().pending_invalidations == 0; }));
  // And the next change is announced.
  ASSERT_TRUE(writer.set("k", 3, kAnHour));
  ASSERT_TRUE(keeps(reader, "k", 3));
  ASSERT_TRUE(writer.set("k", 4, kAnHour));
  EXPECT_TRUE(eventually([&] { return reader.get<int>("k") == 4; }, 5s));
}

/// What is to be removed since nobody may have heard of it is never the whole namespace.
TEST_F(Announcements, ATagRaisedWithoutAChannelReachesWhoCameLater) {
  CacheManager other(over_redis(server->url(), false, 2s));
  ASSERT_TRUE(other.set("k", 1, kAnHour));  // it has looked for listeners, and there was none
  CacheManager reader(announcing(server->url()));
  ASSERT_TRUE(l1_is_up(reader));
  const auto same = [](int x) { return x; };
  const EntryOptions tagged{.ttl = 1h, .prefix = "f", .name = "f", .tags = {"t"}, .level = Level::l1};
  const EntryOptions plain{.ttl = 1h, .prefix = "g", .name = "g", .level = Level::l1};
  const auto f = reader.cached(tagged, same), g = reader.cached(plain, same);
  ASSERT_EQ(f(1) + g(1), 2);
  ASSERT_TRUE(f.peek(1) && g.peek(1));
  other.invalidate_tag("t");
  EXPECT_TRUE(eventually([&] { return !f.peek(1); }));
  EXPECT_TRUE(g.peek(1));
  other.cached(plain, same).cache_clear();
  EXPECT_TRUE(eventually([&] { return !g.peek(1); }));
}

TEST_F(Announcements, ALargeWriteWithoutAReplyLeavesTheOthersAlone) {
  FaultProxy proxy(server->port());
  CacheManager reader(announcing(server->url())), writer(announcing(proxy.url(), 5s));
  ASSERT_TRUE(l1_is_up(reader));
  ASSERT_TRUE(l1_is_up(writer));
  ASSERT_TRUE(reader.set("precious", 1, kAnHour));
  std::vector<std::pair<std::string, int>> many;
  for (int i = 0; i < 33'000; ++i) many.emplace_back("m" + std::to_string(i), i);
  proxy.set(Fault::swallow_reply().on("PUBLISH"));
  const auto results = writer.set_many(many, kAnHour);
  EXPECT_TRUE(results.front() == SetResult::unknown);
  EXPECT_LE(writer.get_stats().pending_invalidations, 2000u);
  proxy.clear();
  EXPECT_TRUE(eventually([&] { return writer.get_stats().pending_invalidations == 0; }, 20s));
  EXPECT_EQ(reader.get<int>("precious", {.level = Level::l2}), 1);
}

/// What other programs do is not heard, so it is looked for.
TEST_F(Announcements, ALoadIsNotJoinedForLongerThanTheBound) {
  const auto clock = std::make_shared<testing::ManualClock>();
  ManagerOptions bounded = announcing(server->url());
  bounded.l1.untracked_ttl = 5s;
  bounded.clock = clock;
  CacheManager cache(std::move(bounded));
  ASSERT_TRUE(l1_is_up(cache));
  std::atomic<int> source{1}, loads{0};
  std::promise<void> loading, go_on;
  const auto gate = go_on.get_future().share();
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, std::function<int(int)>([&](int) {
                                const int read = source;
                                if (++loads == 1) {
                                  loading.set_value();
                                  gate.wait();
                                }
                                return read;
                              }));
  auto first = std::async(std::launch::async, [&] { return f(1); });
  loading.get_future().wait();
  source = 2;
  server->command({"UNLINK", "dsta:" + f.key_for(1)});  // another program
  clock->advance(5100ms);
  auto second = std::async(std::launch::async, [&] { return f(1); });
  EXPECT_EQ(second.wait_for(5s), std::future_status::ready);
  go_on.set_value();
  EXPECT_EQ(first.get(), 1);
  EXPECT_EQ(second.get(), 2);
  EXPECT_EQ(f(1), 2);
}

TEST_F(Announcements, WhatIsNotUnderstoodDropsAllThatOthersChange) {
  CacheManager cache(announcing(server->url()));
  ASSERT_TRUE(l1_is_up(cache));
  const EntryOptions here{.ttl = 1h, .tags = {"tag"}, .level = Level::l1};
  for (const std::string text :
       {"dsta-changes/2 whatever", "dsta-changes/1 s5:otherx1:a", "dsta-changes/1 s5:otherg1:["}) {
    ASSERT_TRUE(
        eventually([&] { return bool(cache.set("shared", 1, kAnHour)) && source_of(cache, "shared") == Source::l1; }));
    ASSERT_TRUE(cache.set("own", 1, here));
    server->command({"PUBLISH", "dsta:changes", text});
    EXPECT_TRUE(eventually([&] { return source_of(cache, "shared") != Source::l1; }, 5s)) << text;
    EXPECT_TRUE(eventually([&] { return !cache.get<int>("own", here); }, 5s)) << text;
    EXPECT_TRUE(l1_is_up(cache)) << text;
  }
}

}  // namespace
}  // namespace dsta::cache
