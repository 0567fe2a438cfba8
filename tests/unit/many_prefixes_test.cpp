// More prefixes of manual calls than statistics show.
#include <dsta/cache.hpp>

#include <gtest/gtest.h>

#include <string>

#include "on_threads.hpp"

namespace dsta::cache {
namespace {

TEST(ManyPrefixes, EachHasItsValuesAndAllAreCounted) {
  CacheManager cache({.l1 = {.max_bytes = std::size_t{256} << 20}});
  constexpr int kPrefixes = 100'000;
  constexpr std::size_t kThreads = 4;
  testing_support::on_threads(kThreads, [&](std::size_t thread) {
    for (int i = static_cast<int>(thread); i < kPrefixes; i += static_cast<int>(kThreads)) {
      EXPECT_TRUE(cache.set("key", i, {.prefix = "p" + std::to_string(i)}));
    }
  });
  for (int i = 0; i < kPrefixes; ++i) {
    const EntryOptions options{.prefix = "p" + std::to_string(i)};
    ASSERT_EQ(cache.get<int>("key", options), i);
    ASSERT_EQ(cache.get<int>("other", options), std::nullopt);
  }
  const CacheStats stats = cache.get_stats();
  EXPECT_EQ(stats.sets, std::uint64_t{kPrefixes});
  EXPECT_EQ(stats.hits, std::uint64_t{kPrefixes});
  EXPECT_EQ(stats.misses, std::uint64_t{kPrefixes});
  const auto by_prefix = cache.get_stats_by_prefix();
  EXPECT_LE(by_prefix.size(), 513u);
  std::uint64_t hits = 0;
  for (const auto& [prefix, each] : by_prefix) hits += each.hits;
  EXPECT_EQ(hits, std::uint64_t{kPrefixes});
}

}  // namespace
}  // namespace dsta::cache
