// A thread that waits for slow things, so that its owner need not.
#include "l2/tracking/blocking_worker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "eventually.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::eventually;

TEST(BlockingWorker, AreRunOneAfterTheOther) {
  BlockingWorker errands(std::make_shared<LinkWatch>());
  EXPECT_TRUE(errands.idle());
  for (int i = 0; i < 100; ++i) {
    std::atomic<bool> done = false;
    errands.run([&] { done = true; });
    ASSERT_TRUE(eventually([&] { return errands.idle(); }));
    EXPECT_TRUE(done);
  }
}

TEST(BlockingWorker, OneThatGetsNoThreadIsOverLikeAnyOther) {
  BlockingWorker errands(std::make_shared<LinkWatch>());
  errands.run([] { throw std::runtime_error("no thread"); });
  EXPECT_TRUE(eventually([&] { return errands.idle(); }));
  std::atomic<bool> done = false;
  errands.run([&] { done = true; });
  EXPECT_TRUE(eventually([&] { return errands.idle(); }));
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace dsta::cache::detail
