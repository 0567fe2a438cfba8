// A load that takes the place of bytes that are no entry: what is written there while it runs, the same bytes or
// others, stays.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <string>

#include "gated_source.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct TakeOver : ProxiedServer, ::testing::WithParamInterface<bool> {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    here = CacheManager(over_redis(server->url(), GetParam(), 5s));
    there = CacheManager(over_redis(server->url(), false, 5s));
    ASSERT_TRUE(!GetParam() || l1_is_up(here));
  }
  /// What stands there after `write` came while the load ran.
  std::string after(const std::function<void()>& write) {
    GatedSource source;
    source.stop_next();
    auto load = std::async(std::launch::async, [&] {
      return here.get_or_load("k", [&] { return std::string("loaded ") + std::to_string(source.read()); });
    });
    EXPECT_TRUE(source.has_stopped_one());
    write();
    source.go_on();
    load.get();
    return stored("dsta:k");
  }
  CacheManager here, there;
};
INSTANTIATE_TEST_SUITE_P(Over, TakeOver, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(TakeOver, LeavesARawValueThatIsSetMeanwhile) {
  const EntryOptions raw{.ttl = 60s, .raw = true};
  for (const std::string text : {"abc", "other"}) {
    ASSERT_TRUE(there.set("k", std::string("abc"), raw));
    EXPECT_EQ(after([&] { EXPECT_TRUE(there.set("k", text, raw)); }), text);
  }
}

TEST_P(TakeOver, LeavesACounterThatBeginsAgainMeanwhile) {
  for (const std::int64_t first : {5, 7}) {
    there.del("k");
    ASSERT_TRUE(there.increment("k", 5));
    EXPECT_EQ(after([&] {
                there.del("k");
                EXPECT_TRUE(there.increment("k", first));
              }),
              std::to_string(first));
  }
}

TEST_P(TakeOver, StoresWhereNothingWasWritten) {
  ASSERT_TRUE(there.set("k", std::string("abc"), {.ttl = 60s, .raw = true}));
  after([] {});
  EXPECT_EQ(there.get<std::string>("k"), "loaded 1");
}

}  // namespace
}  // namespace dsta::cache
