// A load that is expected to find nothing at L2 takes its lease in the request that reads: what that saves, and that a
// wrong guess leaves nothing behind.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/cached.hpp>
#include <dsta/cache/load_context.hpp>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "l2/values/envelope.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "redis_server.hpp"
#include "server_info.hpp"
#include "two_level/leases.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct ReadAhead : ProxiedServer, ::testing::WithParamInterface<bool> {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (!server) return;
    here.emplace(over_redis(server->url(), GetParam(), 5s));
    there.emplace(over_redis(server->url(), GetParam(), 5s));
  }
  std::uint64_t round_trips() const { return info_number(*server, "stats", "total_reads_processed:"); }
  /// Of each of many calls, with what the library does besides.
  void expect_round_trips(std::uint64_t each, const std::function<void(int)>& call) const {
    for (int i = -3; i < 0; ++i) call(i);
    constexpr std::uint64_t kCalls = 100;
    const std::uint64_t before = round_trips();
    for (int i = 0; i < static_cast<int>(kCalls); ++i) call(i);
    EXPECT_LE(round_trips() - before, kCalls * each + kCalls / 10);
  }
  bool is_lease(const std::string& key) const {
    return std::holds_alternative<detail::LeaseView>(detail::decode_lease(stored(key)));
  }
  bool is_value(const std::string& key) const {
    const std::string bytes = stored(key);
    return std::holds_alternative<detail::EnvelopeView>(detail::decode(bytes, key));
  }

  std::optional<CacheManager> here, there;
  std::atomic<int> loads{0};
  const EntryOptions terms{.ttl = 1h, .prefix = "f", .name = "load"};
};
INSTANTIATE_TEST_SUITE_P(Over, ReadAhead, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(ReadAhead, AColdLoadTakesTwoRoundTrips) {
  const auto f = here->cached(terms, [](int i) { return i; });
  expect_round_trips(2, [&](int i) { EXPECT_EQ(f(i), i); });
  const auto many = here->cached({.ttl = 1h, .prefix = "tagged", .tags = {"a", "b"}}, [](int i) { return i; });
  expect_round_trips(2, [&](int i) { EXPECT_EQ(many(i), i); });
}

TEST_P(ReadAhead, AColdLoadWithTwoNewTagsTakesThree) {
  const auto f = here->cached({.ttl = 1h, .prefix = "f", .tags = {"a:{0}", "b:{0}"}}, [](int i) { return i; });
  expect_round_trips(3, [&](int i) { EXPECT_EQ(f(i), i); });
  const auto late = here->cached({.ttl = 1h, .prefix = "late"}, [](int i, LoadContext<int>& context) {
    context.add_tag("c" + std::to_string(i));
    context.add_tag("d" + std::to_string(i));
    return i;
  });
  expect_round_trips(3, [&](int i) { EXPECT_EQ(late(i), i); });
  there->invalidate_tag("a:7");
  there->invalidate_tag("c7");
  EXPECT_TRUE(eventually([&] { return !f.peek(7) && !late.peek(7); }));
  EXPECT_TRUE(f.peek(8) && late.peek(8));
}

TEST_P(ReadAhead, AWrongGuessLeavesNoLeaseAndLoadsNothing) {
  const auto f = there->cached(terms, [](int i) { return i; });
  for (int i = 0; i < 10; ++i) f(i);
  const auto g = here->cached(terms, [&](int i) { return ++loads, i; });
  EXPECT_EQ(g(100), 100);  // from now on it knows the versions
  for (int i = 0; i < 10; ++i) EXPECT_EQ(g(i), i);
  EXPECT_EQ(loads, 1);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(is_value("dsta:f:load:" + std::to_string(i)));
}

TEST_P(ReadAhead, ALeaseNamesTheVersionsOfNow) {
  std::jthread other;
  std::function<void()> in_loader;
  const auto f = here->cached(terms, [&](int i) {
    if (const auto once = std::exchange(in_loader, nullptr)) once();
    return ++loads, i;
  });
  const auto g = there->cached(terms, [&](int i) { return ++loads, i; });
  f(1);
  g.cache_clear();
  // Where L1 is off the first process is not notified, and what it remembers is out of date.
  if (GetParam()) {
    ASSERT_TRUE(eventually([&] { return !f.peek(1); }));
  }
  loads = 0;
  in_loader = [&] {
    // A lease that counts for nobody would be taken over, and the entry loaded twice.
    other = std::jthread([&] { EXPECT_EQ(g(2), 2); });
    std::this_thread::sleep_for(100ms);
  };
  EXPECT_EQ(f(2), 2);
  other.join();
  EXPECT_EQ(loads, 1);
  EXPECT_TRUE(is_value("dsta:f:load:2"));
}

TEST_P(ReadAhead, TwoProcessesLoadEachKeyOnce) {
  const auto load = [&](int i) {
    ++loads;
    std::this_thread::sleep_for(1ms);
    return i;
  };
  const auto f = here->cached(terms, load);
  const auto g = there->cached(terms, load);
  f(-1), g(-2);
  loads = 0;
  constexpr int kKeys = 60;
  const auto ask_all = [&](const auto& wrapper) {
    for (int i = 0; i < kKeys; ++i) EXPECT_EQ(wrapper(i), i);
  };
  {
    std::vector<std::jthread> threads;
    for (int n = 0; n < 3; ++n) {
      threads.emplace_back([&] { ask_all(f); });
      threads.emplace_back([&] { ask_all(g); });
    }
  }
  EXPECT_EQ(loads, kKeys);
}

TEST_P(ReadAhead, ABatchIsLoadedByOneCall) {
  const auto f = here->cached(terms, [&](int i) { return ++loads, i; });
  f(-1);
  std::vector<int> items;
  for (int i = 0; i < 50; ++i) items.push_back(i);
  for (const auto& item : f.many(items)) EXPECT_TRUE(item.has_value());
  EXPECT_EQ(loads, 51);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(is_value("dsta:f:load:" + std::to_string(i)));
}

TEST_P(ReadAhead, AServerThatHasForgottenTheScriptsIsTaughtAgain) {
  const auto f = here->cached({.ttl = 1h, .prefix = "f", .name = "load", .tags = {"a:{0}"}}, [](int i) { return i; });
  f(1);
  server->command({"SCRIPT", "FLUSH"});
  EXPECT_EQ(f(2), 2);
  EXPECT_TRUE(is_value("dsta:f:load:2"));
  EXPECT_EQ(here->get_stats().l2_errors, 0u);
}

TEST_P(ReadAhead, ALeaseOfUnknownOutcomeIsGivenBack) {
  CacheManager proxied(over_redis(proxy->url(), GetParam(), 1s));
  const auto f = proxied.cached(terms, [&](int i) { return ++loads, i; });
  ASSERT_EQ(f(1), 1);
  proxy->set(Fault::reset_after().on("SET").times(1));
  EXPECT_EQ(f(2), 2);
  // Long before it runs out.
  EXPECT_TRUE(eventually([&] { return !is_lease("dsta:f:load:2"); }, 2s));
  EXPECT_EQ(there->cached(terms, [](int i) { return i; })(2), 2);
  EXPECT_EQ(f(2), 2);
}

TEST_P(ReadAhead, AnEntryThatGoesWhileItIsReadIsLoaded) {
  const auto f = here->cached({.ttl = 1h, .prefix = "f", .name = "load"}, [&](int i) { return ++loads, i; });
  f(1);
  const auto other = there->cached(terms, [](int i) { return i; });
  {
    std::jthread comes_and_goes([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        other.refresh(2);
        server->command({"DEL", "dsta:f:load:2"});
      }
    });
    const auto end = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < end) {
      EXPECT_EQ(f(2), 2);
      here->del("f:load:2");
    }
  }
  EXPECT_EQ(f(2), 2);
  EXPECT_TRUE(eventually([&] { return !is_lease("dsta:f:load:2"); }, 1s));
}

// What a stopped server has not read it executes when it goes on, however long that is.
TEST_P(ReadAhead, AServerThatWasStoppedKeepsNoLeaseOfAnEndedLoad) {
  CacheManager cache(over_redis(server->url(), GetParam(), 500ms));
  const auto f = cache.cached(terms, [&](int i) { return i; });
  for (int i = -3; i < 0; ++i) f(i);
  server->pause();
  const auto stopped = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 20; ++i) threads.emplace_back([&, i] { EXPECT_EQ(f(i), i); });
  }
  std::this_thread::sleep_until(stopped + detail::Leases::kLife + 1500ms);
  server->resume();
  std::this_thread::sleep_for(300ms);  // by then it has executed what it had not read
  // Before they run out by themselves.
  EXPECT_TRUE(eventually(
      [&] {
        for (int i = 0; i < 20; ++i) {
          if (is_lease("dsta:f:load:" + std::to_string(i))) return false;
        }
        return true;
      },
      1500ms));
}

TEST_P(ReadAhead, ALeaseThatTheUserMayNotGiveBackIsAskedForUntilItRunsOut) {
  server->command({"ACL", "SETUSER", "taker", "on", ">pw", "~*", "&*", "+@all"});
  CacheManager cache(over_redis("redis://taker:pw@127.0.0.1:" + std::to_string(proxy->port()), GetParam(), 500ms));
  const auto f = cache.cached(terms, [&](int i) { return i; });
  for (int i = -3; i < 0; ++i) f(i);
  proxy->set(Fault::hold(Fault::Way::requests).on("SET"));
  EXPECT_EQ(f(1), 1);
  server->command({"ACL", "SETUSER", "taker", "-eval", "-evalsha", "-get", "-unlink"});
  proxy->clear();

  const auto refusals = [&] { return info_number(*server, "errorstats", "errorstat_NOPERM:count="); };
  const auto before = refusals();
  EXPECT_TRUE(eventually([&] { return refusals() > before + 1; }));
  EXPECT_TRUE(eventually([&] {
    const auto so_far = refusals();
    std::this_thread::sleep_for(500ms);
    return refusals() == so_far;
  }));
}

TEST_P(ReadAhead, AHitLeavesARefreshThatIsUnderWay) {
  std::atomic<int> calls{0};
  std::atomic<bool> inside{false}, open{false};
  const auto f = here->cached(terms, std::function<int(int)>([&](int i) -> int {
                                if (i != 1) return i;
                                const int call = ++calls;
                                if (call == 3) throw std::runtime_error("refused");
                                if (call == 2) {
                                  inside = true;
                                  while (!open) std::this_thread::sleep_for(1ms);
                                }
                                return call;
                              }));
  ASSERT_EQ(f(1), 1);
  for (int i = -3; i < 0; ++i) f(i);  // now it is expected to find nothing
  auto first = std::async(std::launch::async, [&] { return f.refresh(1); });
  ASSERT_TRUE(eventually([&] { return inside.load(); }));
  EXPECT_THROW(f.refresh(1), std::runtime_error);
  EXPECT_EQ(f(1), 1);
  open = true;
  EXPECT_EQ(first.get(), 2);
  EXPECT_EQ(f(1), 2);
}

}  // namespace
}  // namespace dsta::cache
