// del_many: what del would do for each key, by one round trip.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend_test.hpp"
#include "eventually.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct DelMany : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, DelMany, all_backends(), backend_name);

const std::vector<std::string> kKinds = {"value",
                                         "tagged",
                                         "gone",
                                         "expired",
                                         "stale",
                                         "counter",
                                         "json",
                                         "l1",
                                         "missing",
                                         "value",
                                         "past",
                                         "counter",
                                         std::string(600, 'k')};

/// One of every kind of entry under the names above.
void fill(CacheManager& cache) {
  cache.set("value", 1);
  cache.set("tagged", 2, {.tags = {"a", "b"}});
  cache.set("gone", 3, {.tags = {"removed"}});
  cache.set("expired", 3, {.tags = {"expired"}});
  cache.set("stale", 3, {.tags = {"expired"}, .stale_for = 60s});
  cache.increment("counter", 5);
  cache.set("json", std::string("{}"), {.raw = true});
  cache.set("l1", 6, {.level = Level::l1});
  cache.set("past", 7, {.ttl = 1ms});
  cache.set(kKinds.back(), 8);
  cache.invalidate_tag("removed");
  cache.invalidate_tag("expired", TagMode::expire);
  std::this_thread::sleep_for(5ms);  // past its ttl
}

TEST_P(DelMany, RemovesAndCountsWhatDelWouldOneByOne) {
  for (const EntryOptions& options : {EntryOptions{}, EntryOptions{.level = Level::l1},
                                      EntryOptions{.level = Level::l2}, EntryOptions{.raw = true}}) {
    CacheManager singly = manager_of(space + "-singly");
    CacheManager together = manager_of(space + "-together");
    for (CacheManager* each : {&singly, &together}) each->flush_all(), fill(*each);
    // From another manager, so that not all of it is in this process.
    CacheManager other = manager_of(space + "-together");
    std::size_t expected = 0;
    for (const std::string& key : kKinds) expected += singly.del(key, options) ? 1 : 0;
    EXPECT_EQ(together.del_many(kKinds, options), expected);
    EXPECT_EQ(together.get_stats().deletes, expected);
    for (const std::string& key : kKinds) {
      for (const EntryOptions& at : {EntryOptions{}, EntryOptions{.level = Level::l1}, EntryOptions{.raw = true}}) {
        EXPECT_EQ(together.exists(key, at), singly.exists(key, at)) << key;
        if (embedded() || options.level) continue;
        EXPECT_FALSE(other.exists(key, at)) << key;
      }
    }
  }
}

TEST_P(DelMany, CountsWhatOnlyTheServerHas) {
  fill(cache);
  CacheManager fresh = manager();
  std::size_t expected = 0;
  if (!embedded()) {
    fill(cache);
    for (const std::string& key : kKinds) expected += fresh.del(key) ? 1 : 0;
    EXPECT_GT(expected, 3u);
    fill(cache);
  }
  CacheManager other = manager();
  EXPECT_EQ(other.del_many(kKinds), expected);
}

TEST_P(DelMany, FencesTheLoadsUnderWay) {
  std::promise<void> begun, removed;
  std::jthread loading([&] {
    cache.get_or_load("k", [&] {
      begun.set_value();
      removed.get_future().wait();
      return std::string("old");
    });
  });
  begun.get_future().wait();
  EXPECT_EQ(cache.del_many({"other", "k"}), 0u);
  removed.set_value();
  loading.join();
  EXPECT_FALSE(cache.exists("k"));
}

TEST_P(DelMany, WithAKeyThatCannotBeUsedRemovesNothing) {
  cache.set("a", 1);
  EXPECT_THROW(cache.del_many({"a", ""}), KeyError);
  EXPECT_TRUE(cache.exists("a"));
  EXPECT_EQ(cache.del_many({}), 0u);
}

struct SharedDelMany : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, SharedDelMany, redis_backends(), backend_name);

TEST_P(SharedDelMany, IsOneRoundTripForAHundredKeys) {
  std::vector<std::pair<std::string, int>> items;
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    items.emplace_back("k" + std::to_string(i), i);
    keys.push_back(items.back().first);
  }
  cache.set_many(items, {.tags = {"t"}});
  CacheManager other = manager();
  ASSERT_TRUE(other.exists("k0"));
  const auto reads = [&] { return info_number(server->single(), "stats", "total_reads_processed:"); };
  std::uint64_t before = reads();
  EXPECT_EQ(other.del_many(keys), 100u);
  // The keys and the version of the tag; the rest is asking and, once a second, signs of life.
  EXPECT_LE(reads() - before, 12u);
  before = reads();
  EXPECT_EQ(other.del_many(keys), 0u);
  EXPECT_LE(reads() - before, 12u);
}

TEST_P(SharedDelMany, TakesMoreKeysThanOneRequest) {
  std::vector<std::pair<std::string, int>> items;
  std::vector<std::string> keys;
  for (int i = 0; i < 2500; ++i) {
    items.emplace_back("k" + std::to_string(i), i);
    keys.push_back(items.back().first);
  }
  cache.set_many(items);
  EXPECT_EQ(manager().del_many(keys), 2500u);
  EXPECT_EQ(server->command({"EXISTS", at_server("k0"), at_server("k1023"), at_server("k1024"), at_server("k2499")}),
            "0");
}

TEST_P(SharedDelMany, IsReportedToOtherProcesses) {
  CacheManager other = manager();
  cache.set_many<int>({{"a", 1}, {"b", 2}});
  ASSERT_EQ(other.get<int>("a"), 1);
  ASSERT_EQ(other.get<int>("b"), 2);
  EXPECT_EQ(cache.del_many({"a", "b"}), 2u);
  EXPECT_TRUE(eventually([&] { return !other.exists("a") && !other.exists("b"); }));
}

TEST_P(SharedDelMany, KeepsForLaterOnlyWhatTheServerRefused) {
  if (testing_support::ServerUnderTest::clustered()) GTEST_SKIP() << "the rights are those of one server";
  cache.set_many<int>({{"a", 1}, {"b", 2}});
  const std::string user = "u" + space, rule = "~" + space + ":*";
  ASSERT_EQ(server->command({"ACL", "SETUSER", user, "on", ">pass", "+@all", "%RW~" + at_server("a"), "%R" + rule,
                             "%RW~" + space + ":\x01*", "allchannels"}),
            "OK");
  ManagerOptions options;
  options.space = space;
  options.l1.enabled = has_l1();
  options.log.level = LogLevel::off;
  options.url = "redis://" + user + ":pass@127.0.0.1:" + std::to_string(server->port());
  CacheManager limited(options);
  EXPECT_EQ(limited.del_many({"a", "b"}), 1u) << "b was not removed";
  EXPECT_EQ(limited.get_stats().pending_invalidations, 1u);
  EXPECT_FALSE(limited.get<int>("b")) << "what waits is not read there";
  EXPECT_EQ(stored("a"), "(nil)");
  EXPECT_NE(stored("b"), "(nil)");
  ASSERT_EQ(server->command({"ACL", "SETUSER", user, "allkeys"}), "OK");
  EXPECT_TRUE(eventually([&] { return limited.get_stats().pending_invalidations == 0; }));
  EXPECT_EQ(stored("b"), "(nil)");
}

}  // namespace
}  // namespace dsta::cache
