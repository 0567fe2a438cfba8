// An integer that was stored compressed is counted on as any other.
#include <gtest/gtest.h>

#include <cstdint>

#include "has_invalidated.hpp"
#include "l2/values/compression.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct CompressedCounter : ProxiedServer, ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Over, CompressedCounter, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(CompressedCounter, IsCountedOn) {
  if (!detail::kHasZstd) GTEST_SKIP() << "built without zstd";
  CacheManager cache(over_redis(server->url(), GetParam(), 5s));
  constexpr std::int64_t kMany = 1'111'111'111'111'111'111;
  const EntryOptions options{.ttl = 60s, .compress_above = 1};
  ASSERT_TRUE(cache.set("k", kMany, options));
  EXPECT_EQ(cache.increment("k", 1, options), kMany + 1);
  EXPECT_EQ(cache.get<std::int64_t>("k"), kMany + 1);
}

}  // namespace
}  // namespace dsta::cache
