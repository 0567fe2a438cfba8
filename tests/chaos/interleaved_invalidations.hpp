#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "fleet.hpp"
#include "over_redis.hpp"

namespace dsta::cache::testing_support {

/// Each round: the worker's loader reads the source and waits; the source changes and is invalidated here; the loader
/// returns what it read. From then on that is never seen again, here nor there. `here`, `worker`: the URLs of both.
inline void expect_no_invalidation_undone(Fleet& fleet, const std::string& here, const std::string& worker, bool l1,
                                          std::uint64_t rounds) {
  FleetBoard& board = fleet.board();
  CacheManager cache(over_redis(here, l1, std::chrono::seconds(10)));
  const auto f = cache.cached({.ttl = std::chrono::seconds(60), .prefix = "f", .tags = {"t"}},
                              [&](std::uint64_t) { return board.source.load(); });
  fleet.start("interleave", worker, {l1 ? "0" : "1"});
  ASSERT_TRUE(fleet.reaches(board.ready, 1));
  const std::function<void(std::uint64_t)> ways[] = {
      [&](std::uint64_t round) { f.invalidate(round); },
      [&](std::uint64_t) { cache.invalidate_tag("t"); },
      [&](std::uint64_t) { cache.delete_pattern("f:*"); },
      [&](std::uint64_t) { f.cache_clear(); },
      [&](std::uint64_t) { cache.flush_all(); },
      [&](std::uint64_t round) { cache.del("f:" + std::to_string(round)); }};
  std::uint64_t stale_here = 0;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    board.round = round;
    ASSERT_TRUE(fleet.reaches(board.reading, round, std::chrono::seconds(10)))
        << "the worker does not load in round " << round;
    board.source = round;
    ways[round % std::size(ways)](round);
    board.release = round;
    stale_here += f(round) < round ? 1 : 0;
    ASSERT_TRUE(fleet.reaches(board.done, round)) << "round " << round;
    stale_here += f(round) < round ? 1 : 0;
  }
  board.stop = 1;
  std::printf("%llu rounds, %llu in which the other process was notified a moment later\n",
              static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(board.late));
  EXPECT_EQ(stale_here, 0u);
  EXPECT_EQ(board.stale, 0u);
  EXPECT_EQ(board.failures, 0u);
  EXPECT_TRUE(fleet.all_end());
}

}  // namespace dsta::cache::testing_support
