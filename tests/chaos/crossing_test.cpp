// Many threads of one process write the same few keys, while what lies between it and the server goes wrong.
#include <dsta/cache.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "checked_value.hpp"
#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "havoc.hpp"
#include "heavy.hpp"
#include "on_threads.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr std::size_t kKeys = 6, kThreads = 6, kMostWrites = 400'000;

std::string name(std::size_t k) { return "k" + std::to_string(k); }

/// Knows of every write when it began and when it was acknowledged, by a clock of its own. A write that was
/// acknowledged before another one began is not seen any more once that one was acknowledged.
class Journal {
 public:
  std::uint64_t now() { return ++clock_; }
  /// The number of a write that begins; 0 when there is no room for more.
  std::uint64_t begin() {
    const std::uint64_t number = ++last_;
    if (number >= kMostWrites) return 0;
    begun_[number] = now();
    return number;
  }
  void acknowledge(std::size_t key, std::uint64_t number) {
    ended_[number] = now();
    std::uint64_t floor = floors_.at(key);
    while (floor < begun_[number] && !floors_.at(key).compare_exchange_weak(floor, begun_[number])) {
    }
  }
  /// To be taken before a read.
  std::uint64_t floor(std::size_t key) const { return floors_.at(key); }
  bool may_be_seen(std::uint64_t number, std::uint64_t floor_before) const {
    if (number == 0 || number >= kMostWrites || begun_[number] == 0) return false;
    const std::uint64_t ended = ended_[number];
    return ended == 0 || ended > floor_before;
  }
  std::uint64_t writes() const { return last_; }

 private:
  std::atomic<std::uint64_t> clock_{0}, last_{0};
  std::array<std::atomic<std::uint64_t>, kKeys> floors_{};
  std::vector<std::atomic<std::uint64_t>> begun_ = std::vector<std::atomic<std::uint64_t>>(kMostWrites);
  std::vector<std::atomic<std::uint64_t>> ended_ = std::vector<std::atomic<std::uint64_t>>(kMostWrites);
};

TEST(CrossingWrites, EndWithWhatTheServerHas) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  for (const std::uint64_t seed : chaos_seeds()) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RedisServer server;
    FaultProxy proxy(server.port());
    ManagerOptions options{.url = proxy.url() + "?socket_timeout=200ms&connect_timeout=200ms"};
    options.log.level = LogLevel::off;
    CacheManager cache{options};
    CacheManager direct{{.url = server.url() + "?l1=false"}};
    Journal journal;
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> reads = 0, wrong = 0;
    std::jthread havoc([&] {
      lose_on_the_way(proxy, seed, chaos_time());
      stop = true;
    });
    on_threads(kThreads, [&](std::size_t me) {
      std::mt19937_64 random(seed * kThreads + me);
      while (!stop) {
        const std::size_t k = random() % kKeys;
        if (random() % 3 == 0) {
          const std::uint64_t number = journal.begin();
          if (number == 0) return;
          if (cache.set(name(k), CheckedValue{name(k), number}.text(), {.ttl = 600s})) journal.acknowledge(k, number);
          continue;
        }
        const std::uint64_t floor = journal.floor(k);
        const auto found = cache.get(name(k));
        if (!found) continue;
        ++reads;
        const auto value = CheckedValue::parse(*found);
        if (!value || value->key != name(k) || !journal.may_be_seen(value->number, floor)) ++wrong;
      }
    });
    EXPECT_EQ(wrong, 0u) << "of " << reads;
    EXPECT_GT(reads, 0u);
    std::optional<std::string> here, there;
    for (std::size_t k = 0; k < kKeys; ++k) {
      EXPECT_TRUE(eventually([&] { return (here = cache.get(name(k))) == (there = direct.get(name(k))); }))
          << here.value_or("nothing") << " instead of " << there.value_or("nothing");
    }
    std::printf("%llu writes, %llu reads\n", static_cast<unsigned long long>(journal.writes()),
                static_cast<unsigned long long>(reads));
  }
}

}  // namespace
}  // namespace dsta::cache
