// A thread that runs jobs which block, so that its owner need not wait.
#include "l2/tracking/blocking_worker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "eventually.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::eventually;

TEST(BlockingWorker, RunsJobsOneAfterTheOther) {
  BlockingWorker worker(std::make_shared<LinkWatch>());
  EXPECT_TRUE(worker.idle());
  for (int i = 0; i < 100; ++i) {
    std::atomic<bool> done = false;
    worker.run([&] { done = true; });
    ASSERT_TRUE(eventually([&] { return worker.idle(); }));
    EXPECT_TRUE(done);
  }
}

TEST(BlockingWorker, AJobThatThrowsHasEndedLikeAnyOther) {
  BlockingWorker worker(std::make_shared<LinkWatch>());
  worker.run([] { throw std::runtime_error("no thread"); });
  EXPECT_TRUE(eventually([&] { return worker.idle(); }));
  std::atomic<bool> done = false;
  worker.run([&] { done = true; });
  EXPECT_TRUE(eventually([&] { return worker.idle(); }));
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace dsta::cache::detail
