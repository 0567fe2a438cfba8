// A call that shares a key with a batch waits for that key, not for what else the batch loads.
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct BatchWait : ProxiedServer, ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Over, BatchWait, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

/// Holds a loader until the test opens it, and shows that the loader has begun.
struct Gate {
  std::promise<void> begun, opened;
  std::shared_future<void> open = opened.get_future().share();
  void wait() {
    begun.set_value();
    open.wait();
  }
};

TEST_P(BatchWait, IsForTheKeyAlone) {
  Gate there_loads, here_loads;
  CacheManager here(over_redis(server->url(), GetParam(), 5s)), there(over_redis(server->url(), false, 5s));
  const EntryOptions options{.ttl = 60s, .prefix = "f"};
  const auto theirs = there.cached(options, [&](int x) {
    there_loads.wait();
    return x;
  });
  const auto mine = here.cached(options, [](int) { return -1; }).bulk_loader([&](const std::vector<int>& items) {
    EXPECT_EQ(items, std::vector{2});
    here_loads.wait();
    return items;
  });

  auto first = std::async(std::launch::async, [&] { return theirs(1); });
  there_loads.begun.get_future().wait();
  auto batch = std::async(std::launch::async, [&] { return mine.many({1, 2}); });
  here_loads.begun.get_future().wait();
  const auto asked = [&] { return calls_of(*server, "get") + calls_of(*server, "mget"); };
  const auto before = asked();
  auto call = std::async(std::launch::async, [&] { return mine(1); });
  ASSERT_TRUE(eventually([&] { return asked() > before || here.get_stats().coalesced > 0; })) << "it has begun";
  there_loads.opened.set_value();
  EXPECT_EQ(call.wait_for(2s), std::future_status::ready) << "waits for the other key's load";
  here_loads.opened.set_value();
  EXPECT_EQ(call.get(), 1);
  EXPECT_EQ(first.get(), 1);
  const auto both = batch.get();
  EXPECT_EQ(both.at(0).value(), 1) << "the other process's value";
  EXPECT_EQ(both.at(1).value(), 2);
  const auto counted = here.get_stats();
  EXPECT_EQ(counted.hits + counted.misses, 3u);
}

}  // namespace
}  // namespace dsta::cache
