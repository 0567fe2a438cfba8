// A manager whose server and network do everything they can: what it answers is nothing, or right.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "chaos_work.hpp"
#include "eventually.hpp"
#include "havoc.hpp"
#include "heavy.hpp"
#include "on_threads.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr auto kDeadline = 200ms;

/// All threads for a while, and a look at what is left.
template <class Wait>
void run(ChaosWork& work, Wait wait) {
  std::atomic<bool> stop = false;
  std::jthread timer([&] {
    wait();
    stop = true;
  });
  on_threads(ChaosWork::kThreads, [&](std::size_t me) { work.work(me, stop); });
  timer.join();
}

TEST(ChaosChecks, HoldWhereThereAreNoFaults) {
  CacheManager cache;
  ChaosWork work(cache, 1, true);
  run(work, [] { std::this_thread::sleep_for(500ms); });
  work.look_at_all();
  EXPECT_EQ(work.findings.count(), 0u) << work.findings.text();
  EXPECT_GT(work.hits, 0u);
}

TEST(ChaosChecks, FindACacheThatServesWhatWasReplaced) {
  SingleWriter written;
  written.acknowledge(written.begin());
  EXPECT_TRUE(written.may_be_seen(1, written.floor()));
  EXPECT_FALSE(written.may_be_seen(2, written.floor())) << "never written";
  written.doubt(written.begin());
  written.acknowledge(written.begin());
  EXPECT_FALSE(written.may_be_seen(1, written.floor()));
  EXPECT_TRUE(written.may_be_seen(2, written.floor())) << "unknown, and late";
  EXPECT_TRUE(written.may_be_seen(3, written.floor()));
  const std::string text = CheckedValue{"k", 30}.text();
  EXPECT_EQ(CheckedValue::parse(text)->number, 30u);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string broken = text;
    broken[i] = static_cast<char>(broken[i] ^ 1);
    EXPECT_FALSE(CheckedValue::parse(broken)) << i;
    EXPECT_FALSE(CheckedValue::parse(text.substr(0, i))) << i;
  }
}

struct ChaosKind {
  bool l1 = false, restarts = false;
};

struct Chaos : ::testing::TestWithParam<ChaosKind> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  }
};
INSTANTIATE_TEST_SUITE_P(On, Chaos,
                         ::testing::Values(ChaosKind{false, false}, ChaosKind{false, true}, ChaosKind{true, false},
                                           ChaosKind{true, true}),
                         [](const auto& tested) {
                           return std::string(tested.param.l1 ? "TwoLevels" : "Redis") +
                                  (tested.param.restarts ? "Restarting" : "");
                         });

TEST_P(Chaos, NothingCorruptForeignOutdatedOrThrownAndNothingLate) {
  std::uint64_t hits = 0, stored = 0;
  for (const std::uint64_t seed : chaos_seeds()) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RedisServer server;
    FaultProxy proxy(server.port());
    ManagerOptions options;
    options.url = proxy.url();
    options.l1.enabled = GetParam().l1;
    options.pool.socket_timeout = options.pool.connect_timeout = kDeadline;
    options.log.level = LogLevel::off;
    CacheManager cache(std::move(options));
    ChaosWork work(cache, seed, !GetParam().restarts);
    {
      std::optional<Havoc> havoc(std::in_place, server, proxy, seed, GetParam().restarts);
      run(work, [&] {
        std::this_thread::sleep_for(chaos_time());
        havoc.reset();
      });
    }
    EXPECT_TRUE(eventually([&] { return bool(cache.set("after", 1)); }, 5s)) << "it does not come back";
    work.look_at_all();
    EXPECT_EQ(work.findings.count(), 0u) << work.findings.text();
    hits += work.hits;
    stored += work.stored;
    std::printf("seed %llu: %llu hits, %llu stored, %llu loads, slowest: %s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(work.hits), static_cast<unsigned long long>(work.stored),
                static_cast<unsigned long long>(work.loads), work.slowest.text().c_str());
    EXPECT_LT(work.slowest.worst(), (kDeadline + 1s) * (kSanitized ? 5 : 1)) << work.slowest.text();
  }
  // In short runs a server that was given up may be left alone during all of the good times.
  if (chaos_time() < 10s) return;
  EXPECT_GT(hits, 0u);
  EXPECT_GT(stored, 0u);
}

}  // namespace
}  // namespace dsta::cache
