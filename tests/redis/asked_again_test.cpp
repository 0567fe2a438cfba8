// What is of L2 alone is evaluated by what the server knows, also where a channel reports changes: the report of one
// that was made before the call may be on its way.
#include <gtest/gtest.h>

#include <string>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct AskedAgain : ProxiedServer {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    here = CacheManager(over_redis(proxy->url(), true, 5s));
    there = CacheManager(over_redis(server->url(), false, 5s));
    ASSERT_TRUE(eventually([&] { return here.set("warm", 1) && here.lookup<int>("warm").source == Source::l1; }));
  }
  CacheManager here, there;
};

TEST_F(AskedAgain, AnInvalidationCountsBeforeItIsReported) {
  int source = 1;
  const EntryOptions options{.ttl = 60s, .prefix = "f", .tags = {"t"}, .level = Level::l2};
  const auto f = here.cached(options, [&](int) { return source; });
  const auto theirs = there.cached(options, [](int) { return -1; });
  const std::pair<const char*, std::function<void()>> kWays[] = {{"del", [&] { there.del("f:1"); }},
                                                                 {"tag", [&] { there.invalidate_tag("t"); }},
                                                                 {"cache_clear", [&] { theirs.cache_clear(); }},
                                                                 {"flush_all", [&] { there.flush_all(); }}};
  for (const auto& [name, invalidate] : kWays) {
    SCOPED_TRACE(name);
    for (const int item : {1, 2, 3}) {
      f.invalidate(item);
      EXPECT_EQ(f(item), source);
      EXPECT_EQ(f(item), source) << "by now all is known that this process may know";
    }
    proxy->set(Fault::hold(Fault::Way::replies).on("push"));
    invalidate();
    const bool of_one = std::string(name) == "del";
    const int old = source++;
    EXPECT_FALSE(f.peek(1));
    EXPECT_FALSE(here.get<int>("1", options));
    EXPECT_FALSE(here.exists("1", options));
    EXPECT_EQ(f(1), source);
    EXPECT_EQ(f(2), of_one ? old : source);
    EXPECT_EQ(f.many({3}).at(0).value(), of_one ? old : source);
    proxy->clear();
  }
}

TEST_F(AskedAgain, WhatIsStoredAfterAnUnseenInvalidationCounts) {
  const EntryOptions tagged{.ttl = 60s, .tags = {"t"}}, of_the_server{.ttl = 60s, .level = Level::l2};
  ASSERT_TRUE(here.set("before", 1, tagged));
  ASSERT_TRUE(here.set("n", 5, tagged));
  proxy->set(Fault::hold(Fault::Way::replies).on("push"));
  there.invalidate_tag("t");
  EXPECT_EQ(here.increment("n"), 1) << "what it was does not count";
  EXPECT_EQ(there.get<int>("n"), 1);
  EXPECT_TRUE(here.set("after", 2, tagged));
  EXPECT_EQ(there.get<int>("after"), 2);
  there.flush_all();
  EXPECT_TRUE(here.set("after", 3, of_the_server));
  EXPECT_EQ(there.get<int>("after"), 3);
  proxy->clear();
  ASSERT_TRUE(has_invalidated(there, here));
  EXPECT_EQ(here.get<int>("after"), 3);
}

}  // namespace
}  // namespace dsta::cache
