// The thread pool: what it runs, what it refuses, and how it ends.
#include <dsta/cache/executor.hpp>
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <set>
#include <thread>

#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

/// Tells when it is destroyed.
struct Signal {
  explicit Signal(std::promise<void>& gone_) : gone(gone_) {}
  ~Signal() { gone.set_value(); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  std::promise<void>& gone;
};

TEST(ThreadPool, RunsAsManyTasksAtOnceAsItHasThreads) {
  std::latch all(4);
  const auto pool = thread_pool(4);
  std::atomic<int> done{0};
  std::latch finished(4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(pool->try_post([&] {
      all.arrive_and_wait();  // would wait for ever with fewer threads
      ++done;
      finished.count_down();
    }));
  }
  finished.wait();
  EXPECT_EQ(done, 4);
}

TEST(ThreadPool, RefusesAtOnceWhenItsQueueIsFull) {
  std::latch begun(1), release(1);
  const auto pool = thread_pool(1, 2);
  EXPECT_TRUE(pool->try_post([&] { begun.count_down(), release.wait(); }));
  begun.wait();
  EXPECT_TRUE(pool->try_post([] {}));
  EXPECT_TRUE(pool->try_post([] {}));
  EXPECT_FALSE(pool->try_post([] {}));
  release.count_down();
}

TEST(ThreadPool, WithoutAQueueItTakesWhatAThreadIsFreeFor) {
  for (const std::size_t threads : {1u, 3u}) {
    std::latch begun(static_cast<std::ptrdiff_t>(threads)), release(1), again(1);
    const auto pool = thread_pool(threads, 0);
    for (std::size_t i = 0; i < threads; ++i) {
      EXPECT_TRUE(pool->try_post([&] { begun.count_down(), release.wait(); })) << i;
    }
    begun.wait();
    EXPECT_FALSE(pool->try_post([] {}));
    release.count_down();
    while (!pool->try_post([&] { again.count_down(); })) std::this_thread::yield();
    again.wait();
  }
}

TEST(ThreadPool, ItsDestructorDropsWhatWaitsAndWaitsForWhatRuns) {
  std::latch begun(1);
  std::promise<void> dropped;
  std::atomic<bool> finished{false}, ran{false};
  auto pool = thread_pool(1);
  const auto gone = std::make_shared<std::future<void>>(dropped.get_future());
  pool->try_post([&, gone] {
    begun.count_down();
    gone->wait();  // until the destructor has dropped the task behind this one
    finished = true;
  });
  pool->try_post([&, signal = std::make_shared<Signal>(dropped)] { ran = true; });
  begun.wait();
  pool.reset();
  EXPECT_TRUE(finished);
  EXPECT_FALSE(ran);
}

TEST(ThreadPool, MayBeDestroyedByItsOwnTask) {
  std::promise<void> ended;
  std::latch released(1);
  auto pool = thread_pool(2);
  // Captures die from the last to the first: the pool, and then the signal.
  pool->try_post([signal = std::make_shared<Signal>(ended), held = pool, &released] { released.wait(); });
  pool.reset();
  released.count_down();
  ended.get_future().wait();
}

TEST(ThreadPool, AManagersLastTraceMayBeDroppedOnItsOwnPool) {
  for (int round = 0; round < 200; ++round) {
    testing::CleanCache clean({.executor = thread_pool(1)});
    const auto f = clean.cache.cached({.prefix = "f", .load_timeout = 1h}, [](int n) { return n; });
    EXPECT_EQ(f(round), round);  // the task that loaded it may outlive the call, the wrapper and the manager
  }
}

TEST(ThreadPool, WithoutThreadsIsRefused) { EXPECT_THROW(thread_pool(0), ConfigError); }

TEST(ThreadPool, RunsTasksInTheChildOfAFork) {
  if (testing_support::kSanitized) GTEST_SKIP() << "a sanitizer starts no threads in the child of a fork";
  auto pool = thread_pool(1, 2);
  const auto runs = [&] {
    auto done = std::make_shared<std::promise<void>>();
    auto future = done->get_future();
    return pool->try_post([done] { done->set_value(); }) && future.wait_for(10s) == std::future_status::ready;
  };
  std::promise<void> goes_on;
  ASSERT_TRUE(runs());
  ASSERT_TRUE(pool->try_post([waits = goes_on.get_future().share()] { waits.wait(); })) << "its thread is busy";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool all = runs() && runs();
    pool.reset();
    ::_exit(all ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  goes_on.set_value();
  EXPECT_TRUE(runs());
}

}  // namespace
}  // namespace dsta::cache
