// What is kept in-process stands at the server, so that whoever changes it there is told about; and what is of the
// server alone is not kept.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using detail::Core;

struct KeptValues : ProxiedServer {
  using Function = std::function<int(int)>;

  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    here = CacheManager(over_redis(proxy->url(), true, 500ms));
    there = CacheManager(over_redis(server->url(), false, 5s));
    ASSERT_TRUE(eventually([&] { return here.set("warm", 1) && here.lookup<int>("warm").source == Source::l1; }));
    here.del("warm");
    ASSERT_TRUE(has_invalidated(there, here));
  }
  CacheManager here, there;
};

TEST_F(KeptValues, AnOvertakenRefreshKeepsNothingOfWhatItRemoves) {
  std::function<void()> in_loader;
  const EntryOptions options{.ttl = 60s, .prefix = "f"};
  const auto mine = here.cached(options, Function([&](int) { return in_loader(), 1; }));
  const auto theirs = there.cached(options, Function([](int) { return -1; }));
  ASSERT_TRUE(theirs.put(1, 0));
  in_loader = [&] {
    ASSERT_TRUE(theirs.put(1, 2));
    ASSERT_TRUE(has_invalidated(there, here));
    EXPECT_EQ(here.get<int>("f:1"), 2) << "read, and kept, while the refresh is under way";
  };
  EXPECT_EQ(mine.refresh(1), 1);
  const auto kept = here.get<int>("f:1", {.level = Level::l1});
  EXPECT_TRUE(!kept || kept == here.get<int>("f:1", {.level = Level::l2})) << "nothing older, at least";
  there.del("f:1");
  ASSERT_TRUE(has_invalidated(there, here));
  EXPECT_FALSE(here.get<int>("f:1"));
}

TEST_F(KeptValues, WhatIsOfTheServerAloneIsNotAmongThem) {
  const auto twice = [](int n) { return 2 * n; };
  const auto all = [](const std::vector<int>& items) {
    std::vector<int> values;
    for (const int item : items) values.push_back(2 * item);
    return values;
  };
  for (const auto& [name, options] :
       {std::pair{"level l2", EntryOptions{.ttl = 60s, .prefix = "l2", .level = Level::l2}},
        std::pair{"raw", EntryOptions{.ttl = 60s, .prefix = "raw", .raw = true}}}) {
    SCOPED_TRACE(name);
    const auto f = here.cached(options, Function(twice)).bulk_loader(all);
    for (int round = 0; round < 2; ++round) {  // loaded, then found
      EXPECT_EQ(f(1), 2);
      for (const auto& value : f.many({2, 3})) EXPECT_TRUE(value.has_value());
      EXPECT_EQ(f.refresh(4), 8);
    }
    EXPECT_EQ(here.get_stats().entries, 0u);
  }
}

TEST_F(KeptValues, ALoadFromBeforeAChangeIsNotJoinedAfterIt) {
  std::atomic<int> source{1};
  std::atomic<bool> armed{true};
  std::future<int> late;
  const auto f = here.cached({.ttl = 60s, .prefix = "f"}, Function([&](int) {
                               const int loaded = source;
                               if (!armed) return loaded;
                               source = 2;
                               there.del("f:1");
                               EXPECT_TRUE(has_invalidated(there, here));
                               return loaded;
                             }));
  here.core()->probe = [&](Core::Point point, std::string_view of) {
    if (point != Core::Point::before_l2_store || of != "f:1" || !armed.exchange(false)) return;
    // Whether it could be stored is not known afterwards.
    proxy->set(Fault::hold(Fault::Way::replies));
    late = std::async(std::launch::async, [&] { return f(1); });
    eventually([&] { return late.wait_for(0s) == std::future_status::ready; }, 20ms);
  };
  f(1);
  proxy->clear();
  ASSERT_TRUE(late.valid());
  EXPECT_EQ(late.get(), 2);
}

}  // namespace
}  // namespace dsta::cache
