#include "engine/pins.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "on_threads.hpp"

namespace dsta::cache::detail {
namespace {

struct Watched {
  explicit Watched(std::atomic<bool>& gone_) : gone(&gone_) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() { *gone = true; }
  std::atomic<bool>* gone;
};

struct PinsTest : ::testing::Test {
  std::atomic<bool> gone{false};
  std::shared_ptr<Watched> object = std::make_shared<Watched>(gone);
  Pins<Watched> pins{object};
};

TEST_F(PinsTest, HoldTheObjectUntilTheyAreReleased) {
  object.reset();
  EXPECT_FALSE(gone);
  EXPECT_TRUE(pins.take(3));
  pins.release();
  EXPECT_TRUE(gone);
  EXPECT_FALSE(pins.take(3));
}

TEST_F(PinsTest, AReferenceKeepsTheObjectAfterTheRelease) {
  std::shared_ptr<Watched> taken = pins.take(19);
  EXPECT_EQ(taken.get(), object.get());
  object.reset();
  pins.release();
  EXPECT_FALSE(gone);
  taken.reset();
  EXPECT_TRUE(gone);
}

TEST_F(PinsTest, ThreadsTakeAndDropWhileTheyAreReleased) {
  object.reset();
  testing_support::on_threads(4, [&](std::size_t thread) {
    for (int i = 0; i < 2'000; ++i) {
      if (thread == 0 && i == 1'000) pins.release();
      const std::shared_ptr<Watched> taken = pins.take(thread);
      if (taken) {
        EXPECT_FALSE(*taken->gone);
      }
    }
  });
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace dsta::cache::detail
