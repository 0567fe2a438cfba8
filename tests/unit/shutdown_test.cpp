// The end of a manager while everything is under way: it comes in time, nobody hangs, and no callback comes after it.
#include <dsta/cache/testing.hpp>
#include <dsta/cache/warmer.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

/// True on threads that the test itself started: these may call their functions as long as they like.
thread_local bool callers_thread = false;

/// Counts calls by the manager's own threads that begin after it is gone.
struct Callbacks {
  std::atomic<bool> gone = false;
  std::atomic<int> late = 0;
  void note() {
    if (gone && !callers_thread) ++late;
  }
};

TEST(Shutdown, WithSixtyFourLoadingThreadsNothingHangs) {
  Callbacks callbacks;
  std::atomic<bool> stop = false;
  ManagerOptions options;
  options.log.level = LogLevel::debug;
  options.log.sink = [&](LogLevel, std::string_view) { callbacks.note(); };
  auto manager = std::make_unique<CacheManager>(options);
  manager->limit_loads("limited", {.concurrent = 2});
  manager->on_low_hit_rate(0.9, [&](const CacheStats&) { callbacks.note(); }, {.interval = 1ms, .min_requests = 1});
  const auto source = [&](int i) {
    callbacks.note();
    std::this_thread::sleep_for(200us);
    return i % 7 == 0 ? throw std::runtime_error("down") : i;
  };
  const auto stale = manager->cached({.ttl = 100us, .prefix = "stale", .stale_for = 1h, .refresh_backoff = 0s}, source);
  const auto slow =
      manager->cached({.ttl = 100us, .prefix = "slow", .load_timeout = 500ms}, source).condition([&](int) {
        return callbacks.note(), true;
      });
  const auto limited = manager->cached({.ttl = 1ms, .prefix = "limited"}, source);
  std::atomic<std::uint64_t> calls = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 64; ++t) {
    threads.emplace_back([&, t] {
      callers_thread = true;
      for (int i = 0; !stop; i = (i + 1) % 50, ++calls) {
        try {
          const int value = t % 3 == 0 ? stale(i) : t % 3 == 1 ? slow(i) : limited(i);
          EXPECT_EQ(value, i);
        } catch (const std::runtime_error&) {  // down, or timed out: not the point here
        }
      }
    });
  }
  while (calls < 10'000) std::this_thread::yield();
  manager.reset();
  callbacks.gone = true;
  const std::uint64_t before = calls;
  while (calls < before + 1'000) std::this_thread::yield();
  stop = true;
  threads.clear();
  EXPECT_EQ(callbacks.late, 0);
}

TEST(Shutdown, NoBackgroundWorkBeginsAfterTheManagerIsGone) {
  std::atomic<bool> gone = false;
  std::atomic<int> late = 0, begun = 0;
  auto manager = std::make_unique<CacheManager>();
  const auto f = manager->cached({.ttl = 1us, .prefix = "p", .stale_for = 1h}, [&](int i) {
    ++begun;
    late += gone ? 1 : 0;
    std::this_thread::sleep_for(1ms);
    return i;
  });
  for (int i = 0; i < 300; ++i) f.put(i, i);
  std::this_thread::sleep_for(1ms);
  for (int i = 0; i < 300; ++i) f(i);  // three hundred refreshes for four threads
  manager.reset();
  gone = true;
  EXPECT_LT(begun, 300);
  const int by_then = begun;
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(begun, by_then);
  EXPECT_EQ(late, 0);
}

TEST(Shutdown, WaitsForLoadsThatKeepTheirDeadline) {
  std::latch running(1);
  std::atomic<bool> ended = false;
  auto manager = std::make_unique<CacheManager>();
  const auto f = manager->cached({.prefix = "p", .load_timeout = 1500ms}, [&](int i) {
    running.count_down();
    std::this_thread::sleep_for(1200ms);  // longer than the patience without a deadline
    ended = true;
    return i;
  });
  std::jthread caller([&] { EXPECT_EQ(f(1), 1); });
  running.wait();
  manager.reset();
  EXPECT_TRUE(ended);
}

TEST(Shutdown, HooksAndLogOfALateLoadAreNotCalledAfterwards) {
  std::atomic<int> hooks = 0, logged = 0;
  std::latch running(1), go(1);
  ManagerOptions options;
  options.log.level = LogLevel::debug;
  options.log.sink = [&](LogLevel, std::string_view) { ++logged; };
  auto manager = std::make_unique<CacheManager>(options);
  const auto f = manager
                     ->cached({.prefix = "p", .load_timeout = 1ms},
                              [&](int i) {
                                running.count_down();
                                go.wait();
                                return i;
                              })
                     .condition([&](int) { return ++hooks, true; })
                     .adaptive_ttl([&](int) { return ++hooks, 60s; });
  std::jthread caller([&] {
    try {
      f(1);
      ADD_FAILURE();
    } catch (const LoadTimeoutError&) {
    }
  });
  running.wait();
  caller.join();
  manager.reset();  // it does not wait for ever
  go.count_down();
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(hooks, 0);
  EXPECT_EQ(logged, 0);
}

TEST(Shutdown, WaitersOfALoadThatWasNeverBegunLoadByThemselves) {
  std::latch occupied(4), go(1);
  auto manager = std::make_unique<CacheManager>();
  std::atomic<int> waiting = 0;
  manager->core()->probe = [&](detail::Core::Point point, std::string_view key) {
    if (point == detail::Core::Point::before_wait && key.starts_with("p:")) ++waiting;
  };
  const auto blocker = manager->cached({.prefix = "blocker", .load_timeout = 1h}, [&](int i) {
    occupied.count_down();
    go.wait();
    return i;
  });
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { EXPECT_EQ(blocker(i), i); });
  }
  occupied.wait();
  const auto f = manager->cached({.prefix = "p", .load_timeout = 1h}, [](int i) { return i; });
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&, i] { right += f(i) == i ? 1 : 0; });
  while (waiting < 4) std::this_thread::yield();
  std::jthread closing([&] { manager.reset(); });
  while (right < 4) std::this_thread::yield();
  go.count_down();
}

TEST(Shutdown, ASharedValueWithTagsOutlivesItsWrapperAndItsManager) {
  std::shared_ptr<const std::string> value;
  {
    CacheManager manager;
    const auto f = manager.cached({.prefix = "p", .tags = {"t"}}, [](int i) { return std::to_string(i); });
    value = f.shared(1);
    EXPECT_EQ(f.shared(1), value) << "from the cache";
  }
  EXPECT_EQ(*value, "1");
  value.reset();  // under a sanitizer: the entry's tags are there to be let go of
}

TEST(Shutdown, AManagerMayBeDestroyedByItsOwnBackgroundLoad) {
  std::latch gone(1);
  std::atomic<bool> armed = false;
  testing_support::HandExecutor* hand = nullptr;
  auto background = std::make_shared<testing_support::HandExecutor>();
  hand = background.get();
  auto manager = std::make_unique<CacheManager>(ManagerOptions{.executor = background});
  const auto f = manager->cached({.ttl = 1s, .prefix = "p", .stale_for = 1h, .load_timeout = 1h}, [&](int i) {
    if (armed.exchange(false)) manager.reset();
    return i;
  });
  std::jthread executor([&] {
    for (int task = 0; task < 2; ++task) hand->await_and_run();
    gone.count_down();
  });
  EXPECT_EQ(f(1), 1);
  armed = true;
  EXPECT_EQ(f.refresh(1), 1);
  gone.wait();
  EXPECT_EQ(manager, nullptr);
}

struct DestroyedByItsJob : ::testing::TestWithParam<std::shared_ptr<Executor>> {};

TEST_P(DestroyedByItsJob, EndsInTime) {
  std::latch gone(1);
  auto manager = std::make_unique<CacheManager>(ManagerOptions{.executor = GetParam()});
  manager->on_low_hit_rate(0.9, [&](const CacheStats&) { manager.reset(), gone.count_down(); },
                           {.interval = 1ms, .min_requests = 1});
  const auto core = std::weak_ptr(manager->core());
  (void)manager->get("nothing");
  gone.wait();
  while (!core.expired()) std::this_thread::yield();
}

INSTANTIATE_TEST_SUITE_P(OnThe, DestroyedByItsJob,
                         ::testing::Values(nullptr, std::make_shared<testing_support::InlineExecutor>()));

TEST(Shutdown, AManagerMayBeDestroyedByALoaderOfItsOwn) {
  auto manager = std::make_unique<CacheManager>();
  EXPECT_EQ(manager->get_or_load("k", [&] { return manager.reset(), 5; }, {.tags = {"t"}}), 5);
  manager = std::make_unique<CacheManager>();
  const auto f = manager->cached({.prefix = "p", .tags = {"t"}}, [&](int i) { return manager.reset(), i; });
  EXPECT_EQ(f(1), 1);
}

}  // namespace
}  // namespace dsta::cache
