/// Nothing is lost for lack of threads: whichever thread does not start, calls get their values or an error in time,
/// invalidations count, and nothing hangs, the manager's end included.
#include "allocations.hpp"
#include "base/thread.hpp"
#include "rig.hpp"

namespace dsta::cache {
namespace {

using namespace testing_support;
using namespace std::chrono_literals;

/// While it lives the `at`-th thread that the library wants does not start, or none from there on.
class NoThread {
 public:
  NoThread(int at, bool on) {
    wanted = 0;
    fails_at = at;
    lasting = on;
    detail::thread_permission = [](const char*) {
      const int number = ++wanted;
      return fails_at == 0 || (lasting ? number < fails_at : number != fails_at);
    };
  }
  ~NoThread() { detail::thread_permission = nullptr; }
  NoThread(const NoThread&) = delete;
  NoThread& operator=(const NoThread&) = delete;
  static int asked_for() { return wanted; }

 private:
  static inline std::atomic<int> wanted{0}, fails_at{0};
  static inline std::atomic<bool> lasting{false};
};

std::string outcome_of(const std::function<std::string()>& call) {
  try {
    return call();
  } catch (const OverloadError&) {
    return "refused";
  } catch (const std::exception& e) {
    return std::string("threw ") + e.what();
  }
}

/// All that wants threads. Returns what was wrong.
std::string use_everything(Backend backend) {
  std::string wrong;
  const auto expect = [&](bool right, const std::string& what) {
    if (!right) wrong += what + "; ";
  };
  auto rig = std::make_shared<Rig>(backend, "timed");
  const auto in_background = [&](int x) { return outcome_of([&] { return rig->function.call(x); }); };
  for (int x = 0; x < 3; ++x) {
    const std::string got = in_background(x);
    expect(got == rig->right(x) || got == "refused", "a load in the background: " + got);
  }
  AnyFunction plain = make_function(*rig->cache, "plain", rig->source);
  AnyFunction stale = make_function(*rig->cache, "soft", rig->source);
  for (int n = 0; n < 2; ++n) {
    const std::string got = outcome_of([&] { return stale.call(7); });
    expect(got == rig->right(7), "a stale value: " + got);
    std::this_thread::sleep_for(2ms);
  }
  expect(outcome_of([&] { return plain.call(5); }) == rig->right(5), "a call");
  rig->source->change(5);
  plain.invalidate(5);
  const std::string after = outcome_of([&] { return plain.call(5); });
  expect(after == rig->right(5), "after an invalidation: " + after);
  rig->source->change(5);
  plain.clear();
  expect(outcome_of([&] { return plain.call(5); }) == rig->right(5), "after a clear");
  rig->source->change(5);
  rig->cache->flush_all();
  expect(outcome_of([&] { return plain.call(5); }) == rig->right(5), "after flush_all");
  if (rig->peer) {
    AnyFunction peers = make_function(*rig->peer, "plain", rig->source);
    rig->source->change(5);
    peers.invalidate(5);
    std::string got;
    expect(eventually([&] { return (got = plain.call(5)) == rig->right(5); }, 2000ms),
           "after another process's invalidation: " + got);
  }
  CacheWarmer warmer(*rig->cache);
  warmer.every(1ms, [] {});
  rig->cache->on_low_hit_rate(0.5, [](const CacheStats&) {});
  const auto loader = rig->cache->cached({.ttl = 60s, .prefix = "warm", .name = "up"},
                                         [](const std::string& symbol) { return symbol + symbol; });
  warmer.add_market_data("loader", loader);
  const auto report = warmer.warm_market_data({"a", "b", "c", "d", "e", "f"});
  expect(report.warmed == 6, "warming: " + std::to_string(report.warmed));
  return wrong;
}

class ThreadFailure : public testing::TestWithParam<Backend> {};

TEST_P(ThreadFailure, LosesNothing) {
  const Backend backend = GetParam();
  if (backend != Backend::memory && !RedisServer::available()) GTEST_SKIP() << "no redis-server";
  int last = 0;
  {
    NoThread none(0, false);
    EXPECT_EQ(use_everything(backend), "");
    last = NoThread::asked_for();
  }
  for (const bool on : {false, true}) {
    for (int at = 1; at <= last; at += tries_all_points() ? 1 : std::max(1, last / 4)) {
      NoThread shortage(at, on);
      std::promise<std::string> done;
      auto outcome = done.get_future();
      std::thread thread([&] { done.set_value(outcome_of([&] { return use_everything(backend); })); });
      if (outcome.wait_for(20s) != std::future_status::ready) {
        std::fprintf(stderr, "without thread %d%s it hangs\n", at, on ? " and all after it" : "");
        std::abort();  // so that a debugger shows where
      }
      thread.join();
      EXPECT_EQ(outcome.get(), "") << "without thread " << at << (on ? " and all after it" : "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, ThreadFailure, testing::Values(Backend::memory, Backend::redis, Backend::two_levels),
                         [](const auto& one) { return backend_name(one.param); });

}  // namespace
}  // namespace dsta::cache
