// Batches while the server is out of reach: loads of one key run one at a time, and the other keys of a batch do not
// wait for them.
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using Ints = std::vector<int>;

struct UnclaimedBatch : ::testing::Test {
  auto wrap(std::function<Ints(const Ints&)> load) {
    return cache.cached({.ttl = 60s, .prefix = "f"}, std::function<int(int)>([](int n) { return n; }))
        .bulk_loader(std::move(load));
  }
  CacheManager cache = [] {
    ManagerOptions options;
    options.url = "redis://127.0.0.1:1?connect_timeout=1ms";
    options.log.level = LogLevel::off;
    return CacheManager(options);
  }();
};

TEST_F(UnclaimedBatch, LoadsOfOneKeyRunOneAtATime) {
  std::atomic<int> running[3] = {}, most{0};
  const auto f = wrap([&](const Ints& keys) {
    for (const int key : keys) {
      const int now = ++running[key];
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
    }
    std::this_thread::sleep_for(5ms);
    for (const int key : keys) --running[key];
    return keys;
  });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 5; ++n) {
          const auto found = f.many(Ints{1, 2});
          EXPECT_EQ(found[0].value() + found[1].value(), 3);
        }
      });
    }
  }
  EXPECT_EQ(most, 1);
}

TEST_F(UnclaimedBatch, AnotherKeyDoesNotWait) {
  std::promise<void> goes_on, begun, other_loaded;
  const auto f = wrap([&, waits = goes_on.get_future().share()](const Ints& keys) {
    if (std::ranges::find(keys, 1) != keys.end()) {
      begun.set_value();
      waits.wait();
    } else {
      other_loaded.set_value();
    }
    return keys;
  });
  auto first = std::async(std::launch::async, [&] { return f.many(Ints{1})[0].value(); });
  begun.get_future().wait();
  begun = {};
  auto both = std::async(std::launch::async, [&] { return f.many(Ints{1, 2})[0].value(); });
  EXPECT_EQ(other_loaded.get_future().wait_for(2s), std::future_status::ready);
  goes_on.set_value();
  EXPECT_EQ(first.get() + both.get(), 2);
}

TEST_F(UnclaimedBatch, AfterAnyInvalidationACallerDoesNotWaitForAnOlderLoad) {
  enum class Change { key, tag, clear, flush };
  for (const Change change : {Change::key, Change::tag, Change::clear, Change::flush}) {
    std::atomic<int> loads{0};
    std::promise<void> begun, goes_on;
    const auto f =
        cache.cached({.ttl = 60s, .prefix = "g", .name = std::to_string(static_cast<int>(change)), .tags = {"t"}},
                     std::function<int(int)>([&](int) {
                       if (++loads > 1) return 2;
                       begun.set_value();
                       goes_on.get_future().wait();
                       return 1;
                     }));
    auto older = std::async(std::launch::async, [&] { return f(1); });
    begun.get_future().wait();
    if (change == Change::key) f.invalidate(1);
    if (change == Change::tag) cache.invalidate_tag("t");
    if (change == Change::clear) f.cache_clear();
    if (change == Change::flush) cache.flush_all();
    auto asked = std::async(std::launch::async, [&] { return f(1); });
    const bool returned = asked.wait_for(2s) == std::future_status::ready;
    goes_on.set_value();
    EXPECT_TRUE(returned) << static_cast<int>(change);
    EXPECT_EQ(asked.get(), 2);
    older.get();
  }
}

}  // namespace
}  // namespace dsta::cache
