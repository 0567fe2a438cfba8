// Candles when there is no file: a random walk that is the same on every machine for the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace trading {

struct WalkOptions {
  std::uint64_t seed = 42;
  std::size_t count = 300;
  std::int64_t first_open_time = 1'704'067'200'000;  ///< 2024-01-01, UTC
  std::int64_t step = 3'600'000;                     ///< milliseconds between candles
};

/// The symbol takes part in the seed, so that two symbols do not move alike.
std::vector<Candle> random_walk(std::string_view symbol, const WalkOptions& options);

}  // namespace trading
