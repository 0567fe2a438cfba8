#pragma once
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include "eventually.hpp"

namespace dsta::cache::testing_support {

/// Whatever `from` changed before was invalidated in the in-process level of `to`: reports come in the order of the
/// changes. Waits two seconds at most.
inline ::testing::AssertionResult has_invalidated(CacheManager& from, CacheManager& to) {
  const EntryOptions witness{.ttl = std::chrono::minutes(1), .tags = {"witness"}, .level = Level::l1};
  if (!to.set("witness", 1, witness)) return ::testing::AssertionFailure() << "no witness";
  const bool invalidated = eventually([&] { return from.invalidate_tag("witness"), !to.exists("witness", witness); },
                                      std::chrono::seconds(2));
  to.del("witness", witness);
  return invalidated ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "nothing is reported";
}

/// The manager has an in-process level whose invalidation channel is up. Waits ten seconds at most.
inline bool l1_is_up(CacheManager& cache) {
  return eventually([&] { return cache.set("warm", 1) && cache.lookup<int>("warm").source == Source::l1; });
}

}  // namespace dsta::cache::testing_support
