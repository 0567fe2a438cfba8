// Random operations against a plain map, in real time: whatever the manager answers, the model answers too.
#include "model_walk.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "backend_test.hpp"
#include "on_threads.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace testing_support;

struct ModelWalk : BackendTest {
  void expect_agreement(Walk& walk, std::size_t steps) {
    for (std::size_t i = 0; i < steps && !HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      walk.step();
    }
  }
  const std::shared_ptr<Clock> clock = system_clock();
};
INSTANTIATE_TEST_SUITE_P(On, ModelWalk, all_backends(), backend_name);

TEST_P(ModelWalk, EveryAnswerIsThatOfAPlainMap) {
  for (const unsigned seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    cache.flush_all();
    Walk walk(cache, *clock, seed, "p" + std::to_string(seed));
    expect_agreement(walk, scaled(5'000));
    EXPECT_GT(walk.hits, 0u);
  }
}

TEST_P(ModelWalk, EightThreadsOnKeysOfTheirOwnSeeEachTheirOwnMap) {
  on_threads(8, [&](std::size_t i) {
    Walk walk(cache, *clock, 100 + static_cast<unsigned>(i), "thread" + std::to_string(i));
    walk.alone = false;
    expect_agreement(walk, scaled(1'000));
  });
}

}  // namespace
}  // namespace dsta::cache
