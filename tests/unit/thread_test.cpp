// Threads that cannot be had.
#include "base/thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include <dsta/cache.hpp>
#include <dsta/cache/detail/core.hpp>

#include "base/background.hpp"
#include "base/periodic_task.hpp"
#include "eventually.hpp"
#include "thread_shortage.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::library_threads;
using testing_support::ThreadShortage;

TEST(Thread, HasItsNameAndNoneIsNoError) {
  std::promise<std::vector<std::string>> names;
  std::thread started = start_thread("dsta-test", [&] { names.set_value(library_threads()); });
  EXPECT_THAT(names.get_future().get(), ::testing::Contains("dsta-test"));
  started.join();
  const ThreadShortage shortage;
  EXPECT_FALSE(start_thread("dsta-test", [] {}).joinable());
  EXPECT_FALSE(start_detached_thread("dsta-test", [] {}));
}

TEST(Thread, APoolWithoutOneRefusesTheTaskAndTakesItLater) {
  const auto pool = thread_pool(2, 8);
  std::atomic<int> ran = 0;
  {
    const ThreadShortage shortage;
    EXPECT_FALSE(pool->try_post([&] { ++ran; }));
  }
  EXPECT_TRUE(pool->try_post([&] { ++ran; }));
  const ThreadShortage shortage;
  EXPECT_TRUE(pool->try_post([&] { ++ran; })) << "the one that is there will do it";
  EXPECT_TRUE(eventually([&] { return ran == 2; }));
}

TEST(Thread, AScheduleWithoutOneRunsOnceThereIsOne) {
  CacheManager cache;
  std::atomic<int> ran = 0;
  auto shortage = std::make_unique<ThreadShortage>();
  const auto schedule = cache.core()->every(1ms, [&] { ++ran; });
  (void)cache.get<int>("k");
  EXPECT_TRUE(library_threads("dsta-timer").empty());
  shortage.reset();
  cache.set("k", 1);
  EXPECT_TRUE(eventually([&] { return ran > 0; }));
}

TEST(Thread, WithoutOneALoadThatOverrunsItsManagerIsHarmless) {
  std::promise<void> begun, goes_on;
  auto goes = goes_on.get_future().share();
  auto background = std::make_shared<Background>(system_clock(), nullptr);
  ASSERT_TRUE(background->post([&begun, goes] {
    begun.set_value();
    goes.wait();
  }));
  begun.get_future().wait();
  const ThreadShortage shortage;
  background->close(1ms);
  background.reset();
  goes_on.set_value();
}

TEST(Thread, APeriodicTaskWithoutOneRunsOnThreadsThatTendIt) {
  std::atomic<int> calls = 0;
  std::atomic<std::thread::id> by;
  std::atomic<bool> always_due = false;
  PeriodicTask task([&] {
    by = std::this_thread::get_id();
    ++calls;
    return always_due ? TimePoint{} : TimePoint::max();
  });
  task.tend();
  EXPECT_EQ(calls, 0) << "nothing was due";
  {
    const ThreadShortage shortage;
    EXPECT_FALSE(task.wake());
    EXPECT_FALSE(task.wake());
    task.tend();
    task.tend();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(by.load(), std::this_thread::get_id());
    always_due = true;
    EXPECT_FALSE(task.wake());
  }
  EXPECT_TRUE(eventually([&] { return task.tend(), by.load() != std::this_thread::get_id(); }))
      << "some of those who pass try to start one";
  task.stop();
}

TEST(Thread, AStepOnAThreadThatTendsATaskIsWaitedForAtItsEnd) {
  std::promise<void> begun, goes_on;
  std::atomic<bool> done = false;
  PeriodicTask task([&] {
    begun.set_value();
    goes_on.get_future().wait();
    done = true;
    return TimePoint::max();
  });
  const ThreadShortage shortage;
  task.wake();
  std::thread tending([&] { task.tend(); });
  begun.get_future().wait();
  std::thread stopper([&] {
    task.stop();
    EXPECT_TRUE(done);
  });
  goes_on.set_value();
  stopper.join();
  tending.join();
}

}  // namespace
}  // namespace dsta::cache::detail
