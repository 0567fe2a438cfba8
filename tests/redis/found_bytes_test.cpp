// What other programs, and counters, leave under the key of a wrapped function: it is told from what takes its place,
// and is replaced where it is no value.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <future>
#include <string>

#include "gated_source.hpp"
#include "two_managers.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct FoundBytes : TwoManagers {};
INSTANTIATE_TEST_SUITE_P(Over, FoundBytes, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(FoundBytes, AnEmptyStringIsAMissAndIsReplaced) {
  const auto f = here.cached({.ttl = 60s, .prefix = "f"}, std::function<std::string(int)>([](int) { return "v"; }));
  for (const bool refresh : {false, true}) {
    for (const bool by_hand : {false, true}) {
      SCOPED_TRACE(std::string(refresh ? "refresh" : "call") + (by_hand ? ", set raw" : ", set by another program"));
      if (by_hand) {
        ASSERT_TRUE(there.set("1", std::string(), {.ttl = 60s, .prefix = "f", .raw = true}));
      } else {
        ASSERT_EQ(server->command({"SET", "dsta:f:1", ""}), "OK");
      }
      ASSERT_TRUE(!GetParam() || has_invalidated(there, here));
      auto asked = std::async(std::launch::async, [&] { return refresh ? f.refresh(1) : f(1); });
      const bool ends = asked.wait_for(2s) == std::future_status::ready;
      EXPECT_TRUE(ends);
      if (!ends) server->command({"DEL", "dsta:f:1"});
      EXPECT_EQ(asked.get(), "v");
      EXPECT_GT(server->command({"STRLEN", "dsta:f:1"}), "0");
      EXPECT_EQ(f.peek(1), "v");
    }
  }
}

TEST_P(FoundBytes, ACounterThatKeepsItsLastDigitsHasChanged) {
  for (const std::int64_t by : {std::int64_t{1}, std::int64_t{100'000'000}, std::int64_t{1'000'000'000'000'000}}) {
    SCOPED_TRACE(by);
    GatedSource source;
    const auto f = here.cached({.ttl = 60s, .prefix = "f", .name = std::to_string(by)},
                               std::function<std::int64_t(int)>([&](int) { return source.read(); }));
    const std::string key = f.key_for(1);
    ASSERT_EQ(there.increment(key, 12'345'678), 12'345'678);
    source.stop_next();
    auto older = std::async(std::launch::async, [&] { return f.refresh(1); });
    ASSERT_TRUE(source.has_stopped_one());
    ASSERT_EQ(there.increment(key, by), 12'345'678 + by);
    source.go_on();
    older.get();
    EXPECT_EQ(stored("dsta:" + key), std::to_string(12'345'678 + by));
    EXPECT_EQ(there.get<std::int64_t>(key), 12'345'678 + by);
  }
}

}  // namespace
}  // namespace dsta::cache
