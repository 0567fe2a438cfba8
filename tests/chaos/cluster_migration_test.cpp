// Slots that move from master to master while eight threads use them. Longer by DSTA_CACHE_MIGRATIONS, how often each
// slot moves.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dsta/cache/manager.hpp>

#include "chaos_work.hpp"
#include "checked_value.hpp"
#include "eventually.hpp"
#include "findings.hpp"
#include "has_invalidated.hpp"
#include "heavy.hpp"
#include "on_threads.hpp"
#include "over_redis.hpp"
#include "redis_cluster.hpp"
#include "single_writer.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using Slots = std::vector<std::uint16_t>;

/// Without L1, or how that is kept coherent.
struct MovingSlots : ::testing::TestWithParam<CoherenceMode> {
  static void SetUpTestSuite() {
    if (RedisCluster::available()) cluster = std::make_unique<RedisCluster>(RedisClusterOptions{.replicas = 0});
  }
  static void TearDownTestSuite() { cluster.reset(); }
  void SetUp() override {
    if (!cluster) GTEST_SKIP() << "no redis-server 7.0 or later on this machine";
    for (std::size_t i = 0; i < cluster->nodes(); ++i) cluster->command(i, {"FLUSHALL"});
  }
  static bool l1() { return GetParam() != CoherenceMode::off; }
  static std::string name(CoherenceMode mode) {
    return mode == CoherenceMode::off ? "redis" : mode == CoherenceMode::tracking ? "tracking" : "announcements";
  }
  static std::string space(const std::string& test) { return test + "-" + name(GetParam()); }
  static ManagerOptions options(const std::string& space) {
    ManagerOptions made = over_redis(cluster->url() + "&space=" + space, l1(), 5s);
    if (l1()) made.l1.coherence = GetParam();
    return made;
  }
  static std::size_t moves() {
    const std::string asked = environment("DSTA_CACHE_MIGRATIONS");
    return asked.empty() ? 2 : std::stoul(asked);
  }
  /// Moves each slot to the next master and so on, some keys at a time, so that all that can happen in between does.
  static std::size_t move_around(const Slots& slots) {
    std::size_t keys = 0;
    for (std::size_t round = 0; round < moves(); ++round) {
      for (const std::uint16_t slot : slots) {
        const std::size_t to = (cluster->master_of_slot(slot) + 1) % cluster->nodes();
        cluster->begin_migration(slot, to);
        std::this_thread::sleep_for(5ms);
        while (const std::size_t moved = cluster->migrate_keys(slot, to, 40)) {
          keys += moved;
          std::this_thread::sleep_for(5ms);
        }
        cluster->end_migration(slot, to);
      }
    }
    EXPECT_TRUE(cluster->wait_ok()) << cluster->trouble();
    return keys;
  }

  static inline std::unique_ptr<RedisCluster> cluster;
};
INSTANTIATE_TEST_SUITE_P(On, MovingSlots,
                         ::testing::Values(CoherenceMode::off, CoherenceMode::tracking, CoherenceMode::announcements),
                         [](const auto& tested) { return MovingSlots::name(tested.param); });

/// A thousand keys in four slots. Nine of ten are only written, so that each read must find them; the others are
/// removed, too. Each is written by one thread and read by all.
class ThousandKeys {
 public:
  static constexpr std::size_t kThreads = 8, kKeys = 1000, kSlots = 4;

  explicit ThousandKeys(CacheManager& cache) : cache_(cache), keys_(kKeys) {
    for (std::size_t i = 0; i < kKeys; ++i) {
      if (!write(i)) findings.add("not stored: " + key(i));
    }
  }
  static std::string key(std::size_t i) { return "{t" + std::to_string(i % kSlots) + "}:" + std::to_string(i); }
  static bool stays(std::size_t i) { return i % 10 != 9; }
  Slots slots(const std::string& space) const {
    Slots all;
    for (std::size_t i = 0; i < kSlots; ++i) all.push_back(slot_of(space + ":" + key(i)));
    return all;
  }

  void work(std::size_t me, const std::atomic<bool>& stop) {
    std::mt19937_64 random(me);
    while (!stop) {
      const std::size_t any = random() % kKeys, mine = any - any % kThreads + me;
      const std::uint64_t draw = random() % 10;
      if (draw < 7) read(cache_, any);
      if (draw >= 7 && mine < kKeys) write(mine);
      if (draw == 9 && mine < kKeys && !stays(mine)) remove(mine);
      if (draw == 0) read_some(random);
    }
  }
  void read(CacheManager& cache, std::size_t i) {
    const std::uint64_t floor = keys_[i].floor();
    check(i, cache.get(key(i)), floor);
  }
  void check(std::size_t i, const std::optional<std::string>& found, std::uint64_t floor) {
    ++reads;
    if (!found && stays(i)) findings.add("a read failed: " + key(i));
    if (!found) return;
    const auto value = CheckedValue::parse(*found);
    if (!value || value->key != key(i)) return findings.add("wrong: " + key(i) + " = " + *found);
    if (!keys_[i].may_be_seen(value->number, floor)) {
      findings.add("outdated: " + key(i) + " is " + std::to_string(value->number) + " after " + std::to_string(floor));
    }
  }
  /// Another process, which hears of changes a moment later. The number of keys that it still has as they were.
  std::size_t outdated(CacheManager& other) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < kKeys; ++i) {
      const auto found = other.get(key(i));
      const auto value = found ? CheckedValue::parse(*found) : std::nullopt;
      const bool may_miss = !stays(i);
      if (found ? !value || !keys_[i].may_be_seen(value->number, keys_[i].floor()) : !may_miss) ++count;
    }
    return count;
  }

  std::atomic<std::uint64_t> reads = 0, writes = 0, refused = 0;
  Findings findings;

 private:
  bool write(std::size_t i) {
    const std::uint64_t number = keys_[i].begin();
    const SetResult result = cache_.set(key(i), CheckedValue{key(i), number}.text(), {.ttl = 1h});
    ++writes;
    if (result) return keys_[i].acknowledge(number), true;
    keys_[i].doubt(number);
    if (++refused <= 3) std::printf("%s: %s\n", key(i).c_str(), std::string(result.reason()).c_str());
    return false;
  }
  void remove(std::size_t i) {
    const std::uint64_t number = keys_[i].begin();
    cache_.del(key(i));
    keys_[i].acknowledge(number);
  }
  void read_some(std::mt19937_64& random) {
    std::vector<std::size_t> which;
    std::vector<std::string> names;
    std::vector<std::uint64_t> floors;
    for (int i = 0; i < 5; ++i) {
      which.push_back(random() % kKeys);
      names.push_back(key(which.back()));
      floors.push_back(keys_[which.back()].floor());
    }
    const auto found = cache_.get_many(names);
    for (std::size_t i = 0; i < which.size(); ++i) check(which[i], found[i], floors[i]);
  }

  CacheManager& cache_;
  std::vector<SingleWriter> keys_;
};

TEST_P(MovingSlots, LoseNoWriteAndFailNoRead) {
  const std::string space = this->space("keys");
  CacheManager cache(options(space)), other(options(space));
  ASSERT_TRUE(eventually([&] { return bool(cache.set("first", 1)); }));
  ASSERT_TRUE(!l1() || (l1_is_up(cache) && l1_is_up(other)));
  ThousandKeys keys(cache);
  for (std::size_t i = 0; i < ThousandKeys::kKeys; ++i) keys.read(other, i);  // into its L1
  ASSERT_EQ(keys.findings.count(), 0u) << keys.findings.text();

  std::atomic<bool> stop = false;
  std::size_t moved = 0;
  std::thread mover([&] {
    moved = move_around(keys.slots(space));
    stop = true;
  });
  on_threads(ThousandKeys::kThreads, [&](std::size_t me) { keys.work(me, stop); });
  mover.join();
  std::printf("%zu keys moved, %llu reads, %llu writes, %llu not acknowledged\n", moved,
              static_cast<unsigned long long>(keys.reads), static_cast<unsigned long long>(keys.writes),
              static_cast<unsigned long long>(keys.refused));
  EXPECT_GE(moved, moves() * ThousandKeys::kKeys * 8 / 10);
  EXPECT_EQ(keys.refused, 0u) << "nothing but slots moved";
  EXPECT_EQ(cache.get_stats().pending_invalidations, 0u);
  CacheManager fresh(over_redis(cluster->url() + "&space=" + space, false, 5s));
  ASSERT_TRUE(eventually([&] { return fresh.get<int>("first") == 1; }));
  for (std::size_t i = 0; i < ThousandKeys::kKeys; ++i) keys.read(fresh, i), keys.read(cache, i);
  EXPECT_EQ(keys.findings.count(), 0u) << keys.findings.text();
  EXPECT_TRUE(eventually([&] { return keys.outdated(other) == 0; }, 3s)) << keys.outdated(other) << " are stale";
}

/// Every way to use a manager, each answer checked, while slots of its keys move, and the one of its versions.
TEST_P(MovingSlots, AnswerNothingWrong) {
  const std::string space = this->space("work");
  CacheManager cache(options(space));
  ASSERT_TRUE(eventually([&] { return bool(cache.set("first", 1)); }));
  ChaosWork work(cache, 1, true);
  Slots slots{slot_of("{" + space + "}")};
  for (const std::string key : {"reg:w0:0", "reg:w3:1", "n:0", "src:2", "src:5", "load:1", "load:6"}) {
    slots.push_back(slot_of(space + ":" + key));
  }
  std::atomic<bool> stop = false;
  std::thread mover([&] {
    for (int i = 0; i < 4; ++i) move_around(slots);
    stop = true;
  });
  on_threads(ChaosWork::kThreads, [&](std::size_t me) { work.work(me, stop); });
  mover.join();
  work.look_at_all();
  std::printf("%llu hits, %llu stored, %llu loads, slowest %s\n", static_cast<unsigned long long>(work.hits),
              static_cast<unsigned long long>(work.stored), static_cast<unsigned long long>(work.loads),
              work.slowest.text().c_str());
  EXPECT_EQ(work.findings.count(), 0u) << work.findings.text();
  EXPECT_GT(work.hits, 0u);
  EXPECT_EQ(cache.get_stats().pending_invalidations, 0u);
}

/// A key that moves once while a sweep passes over the masters, some of which have been swept by then.
TEST_P(MovingSlots, APatternFindsWhatMovesMeanwhile) {
  const std::string space = this->space("sweep"), key = "{sought}:1";
  CacheManager cache(options(space));
  ASSERT_TRUE(eventually([&] { return bool(cache.set("first", 1)); }));
  std::vector<std::pair<std::string, int>> others;
  for (int i = 0; i < 3000; ++i) others.emplace_back("other" + std::to_string(i), i);
  cache.set_many<int>(others, {.ttl = 1h});  // so that a sweep takes time
  const std::uint16_t slot = slot_of(space + ":" + key);
  std::mt19937_64 random(1);
  auto sweep = 20ms;
  for (std::size_t round = 0; round < 10 * moves(); ++round) {
    ASSERT_TRUE(cache.set(key, "v", {.ttl = 1h}));
    const std::size_t to = (cluster->master_of_slot(slot) + 1) % cluster->nodes();
    cluster->begin_migration(slot, to);
    std::thread mover([&, wait = std::chrono::microseconds(random() % 1000) * sweep.count()] {
      std::this_thread::sleep_for(wait);
      cluster->migrate_keys(slot, to);
    });
    const auto begun = std::chrono::steady_clock::now();
    cache.delete_pattern("{sought}:*");
    const auto took = std::chrono::steady_clock::now() - begun;
    mover.join();
    EXPECT_FALSE(cache.exists(key, {.level = Level::l2})) << "round " << round;
    while (cluster->migrate_keys(slot, to) > 0) continue;
    cluster->end_migration(slot, to);
    EXPECT_FALSE(cache.exists(key, {.level = Level::l2})) << "round " << round << ", after the move";
    sweep = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(took), 1ms, 100ms);
  }
  EXPECT_EQ(cache.get_stats().pending_invalidations, 0u);
}

}  // namespace
}  // namespace dsta::cache
