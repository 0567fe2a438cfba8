#pragma once
#include <atomic>
#include <memory>
#include <stdexcept>

#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include "hand_executor.hpp"

namespace dsta::cache::testing_support {

/// A source that counts its runs and can fail, behind a cache. The test moves the clock and runs background work.
struct FailingSource : ::testing::Test {
  auto source(EntryOptions options) {
    return cache.cached(options, [this](int) { return ask(); });
  }
  /// The number of this run. Throws while the source is down.
  int ask() {
    const int run = ++runs;
    if (down) throw std::runtime_error("down");
    return run;
  }

  std::shared_ptr<HandExecutor> background = std::make_shared<HandExecutor>();
  testing::CleanCache clean{{.executor = background}};
  CacheManager& cache = clean.cache;
  testing::ManualClock& clock = *clean.clock;
  std::atomic<int> runs = 0;
  std::atomic<bool> down = false;
};

}  // namespace dsta::cache::testing_support
