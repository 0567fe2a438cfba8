// Waiting for another process's load: for as long as its lease stands, whatever the looks at it take in all.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "gated_source.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct ForeignWait : ProxiedServer, ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Over, ForeignWait, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(ForeignWait, IsNotBoundByTheTimeOfOneOperation) {
  const bool l1 = GetParam();
  CacheManager here(over_redis(proxy->url(), l1, 1s)), there(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(!l1 || l1_is_up(here));
  GatedSource source;
  std::atomic<int> loads_here{0};
  const EntryOptions options{.ttl = 60s, .prefix = "f"};
  const auto theirs = there.cached(options, std::function<int(int)>([&](int) { return source.read(); }));
  const auto mine = here.cached(options, std::function<int(int)>([&](int) { return ++loads_here, 2; }));
  source.stop_next();
  auto first = std::async(std::launch::async, [&] { return theirs(1); });
  ASSERT_TRUE(source.has_stopped_one());

  proxy->set(Fault::delay(100ms));
  const auto reads = [&] { return calls_of(*server, "get") + calls_of(*server, "mget"); };
  const auto before = reads();
  auto waits = std::async(std::launch::async, [&] { return mine(1); });
  ASSERT_TRUE(eventually([&] { return reads() > before + 15 || loads_here != 0; })) << "each look takes a tenth";
  EXPECT_EQ(loads_here, 0);
  source.go_on();
  EXPECT_EQ(first.get(), 1);
  EXPECT_EQ(waits.get(), 1);
  EXPECT_EQ(loads_here, 0);
}

// Nor by what the loader of a batch's other keys takes.
TEST_P(ForeignWait, OfABatchIsNotShortenedByItsOwnLoader) {
  const bool l1 = GetParam();
  constexpr auto kDeadline = 300ms;
  CacheManager here(over_redis(server->url(), l1, kDeadline)), there(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(!l1 || l1_is_up(here));
  GatedSource source;
  const EntryOptions options{.ttl = 60s, .prefix = "f"};
  const auto theirs = there.cached(options, std::function<int(int)>([&](int) { return source.read(); }));
  std::promise<void> loaded;
  std::atomic<bool> second_loaded{false};
  const auto mine = here.cached(options, std::function<int(int)>([](int n) { return n; }))
                        .bulk_loader([&](const std::vector<int>& keys) {
                          if (keys != std::vector<int>{1}) second_loaded = true;
                          std::this_thread::sleep_for(kDeadline);
                          if (keys == std::vector<int>{1}) loaded.set_value();
                          return keys;
                        });
  source.stop_next();
  source.value = 7;
  auto first = std::async(std::launch::async, [&] { return theirs(2); });
  ASSERT_TRUE(source.has_stopped_one());
  auto batch = std::async(std::launch::async, [&] { return mine.many(std::vector<int>{1, 2})[1].value(); });
  loaded.get_future().wait();
  const auto reads = [&] { return calls_of(*server, "get") + calls_of(*server, "mget"); };
  const auto before = reads();
  ASSERT_TRUE(eventually([&] { return reads() > before + 3 || second_loaded; }));
  source.go_on();
  EXPECT_EQ(first.get(), 7);
  EXPECT_EQ(batch.get(), 7);
  EXPECT_FALSE(second_loaded);
}

}  // namespace
}  // namespace dsta::cache
