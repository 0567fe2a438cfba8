// What a load found, and cannot use, is written again while it runs, for less time than it takes: nothing is there in
// the end, and the load is older than what was written.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gated_source.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr auto kShort = 50ms;

struct ShortLivedWrite {
  std::string name;
  std::function<void(CacheManager&)> before, meanwhile;
};
void set_bytes(CacheManager& cache) { cache.set("k", std::string("theirs"), {.ttl = kShort, .raw = true}); }
void count(CacheManager& cache) { cache.increment("k", 5'000'000'000, {.ttl = kShort}); }
void set(CacheManager& cache) { cache.set("k", 99, {.ttl = kShort}); }
void set_many(CacheManager& cache) {
  cache.set_many(std::vector<std::pair<std::string, int>>{{"k", 99}, {"l", 99}}, {.ttl = kShort});
}
const ShortLivedWrite kShortLivedTable[] = {
    {"SetOverBytes", set_bytes, set},      {"SetManyOverBytes", set_bytes, set_many},
    {"SetOverACounter", count, set},       {"SetManyOverACounter", count, set_many},
    {"IncrementOfACounter", count, count},
};

struct ShortLived : ProxiedServer, ::testing::WithParamInterface<ShortLivedWrite> {};
INSTANTIATE_TEST_SUITE_P(Of, ShortLived, ::testing::ValuesIn(kShortLivedTable),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(ShortLived, WriteFencesTheLoad) {
  auto here = CacheManager(over_redis(server->url(), false, 5s));
  auto there = CacheManager(over_redis(server->url(), false, 5s));
  GatedSource source;
  source.stop_next();
  GetParam().before(there);
  auto loaded = std::async(std::launch::async, [&] { return here.get_or_load("k", [&] { return source.read(); }); });
  ASSERT_TRUE(source.has_stopped_one());
  GetParam().meanwhile(there);
  ASSERT_TRUE(eventually([&] { return server->command({"EXISTS", "dsta:k"}) == "0"; }));
  source.go_on();
  EXPECT_EQ(loaded.get(), 1);
  EXPECT_EQ(here.get<int>("k"), std::nullopt);
}

}  // namespace
}  // namespace dsta::cache
