// Hits whose value is copied while the entry is protected.
#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "on_threads.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

using Big = std::array<double, 100>;
using Mixed = std::pair<std::string, std::optional<std::vector<int>>>;
static_assert(detail::kHitsByCopy<double> && detail::kHitsByCopy<Big> && detail::kHitsByCopy<std::string>);
static_assert(detail::kHitsByCopy<Mixed> && detail::kHitsByCopy<std::vector<std::string>>);

/// Its copy reads the cache.
struct Reads {
  explicit Reads(CacheManager& cache_) : cache(&cache_) {}
  Reads(const Reads& other) : cache(other.cache) { seen = cache->get<int>("other").value_or(0); }
  Reads& operator=(const Reads&) = default;
  CacheManager* cache;
  int seen = 0;
};

}  // namespace
}  // namespace dsta::cache

template <>
inline constexpr bool dsta::cache::in_process_only<dsta::cache::Reads> = true;

namespace dsta::cache {
namespace {

static_assert(!detail::kHitsByCopy<Reads>, "a copy of the user's may call the cache");

struct HitCopy : ::testing::Test, testing::CleanCache {
  template <class T>
  void expect_kept(const T& value) {
    ASSERT_TRUE(cache.set("key", value));
    EXPECT_EQ(cache.get<T>("key"), value);
    EXPECT_EQ(cache.get_or_load("key", [&]() -> T { throw std::logic_error("it is there"); }), value);
    const auto f = cache.cached({.prefix = "f" + std::to_string(++wrappers)}, [&](int) { return value; });
    EXPECT_EQ(f(1), value);
    EXPECT_EQ(f(1), value);
    EXPECT_EQ(f.cache_info().hits, 1u);
  }
  int wrappers = 0;
};

TEST_F(HitCopy, GivesTheValueThatWasStored) {
  expect_kept(1.5);
  expect_kept(std::string(1'000, 'x'));
  expect_kept(Big{1, 2, 3});
  expect_kept(Mixed{"name", std::vector<int>{1, 2, 3}});
  expect_kept(std::vector<std::string>{"a", std::string(100, 'b')});
  expect_kept(std::optional<double>(2.5));
}

TEST_F(HitCopy, OfATypeThatReadsTheCacheInItsCopyIsNotProtectedMeanwhile) {
  ASSERT_TRUE(cache.set("other", 7));
  ASSERT_TRUE(cache.set("key", Reads(cache)));
  const auto value = cache.get<Reads>("key");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->seen, 7);
}

TEST_F(HitCopy, CountsHitsAndMissesOfGet) {
  EXPECT_FALSE(cache.get<double>("key"));
  ASSERT_TRUE(cache.set("key", 1.5));
  EXPECT_TRUE(cache.get<double>("key"));
  EXPECT_FALSE(cache.get("key")) << "of another type";
  EXPECT_EQ(cache.get_or_load("key", [] { return 2.5; }), 1.5);
  EXPECT_EQ(cache.get_or_load("new", [] { return 2.5; }), 2.5);
  EXPECT_EQ(cache.get_stats().hits, 2u);
  EXPECT_EQ(cache.get_stats().misses, 3u);
}

TEST_F(HitCopy, ReadsACounterAsAnyInteger) {
  ASSERT_EQ(cache.increment("count", 300), 300);
  EXPECT_EQ(cache.get<int>("count"), 300);
  EXPECT_EQ(cache.get<std::int64_t>("count"), 300);
  EXPECT_FALSE(cache.get<std::int8_t>("count")) << "out of its range";
  EXPECT_EQ(cache.get_stats().hits, 2u);
  EXPECT_EQ(cache.get_stats().misses, 1u);
}

TEST_F(HitCopy, ServesAStaleValueAsGetDoes) {
  ASSERT_TRUE(cache.set("key", std::string("old"), {.ttl = 10s, .stale_for = 60s}));
  clock->advance(10s - 1ns);
  EXPECT_FALSE(cache.lookup("key").stale);
  clock->advance(1ns);
  EXPECT_EQ(cache.get("key"), "old");
  EXPECT_TRUE(cache.lookup("key").stale);
  clock->advance(60s - 1ns);
  EXPECT_EQ(cache.get("key"), "old");
  clock->advance(1ns);
  EXPECT_FALSE(cache.get("key"));
}

TEST_F(HitCopy, RefreshesInGetOrLoadWhatIsDue) {
  ASSERT_TRUE(cache.set("key", 1, {.ttl = 10s}));
  clock->advance(10s);
  EXPECT_EQ(cache.get_or_load("key", [] { return 2; }), 2);
  EXPECT_EQ(cache.get<int>("key"), 2);
}

/// Threads read through every kind of hit while another destroys the manager: what a wrapper returned stays valid, and
/// the loads after that run without the cache.
TEST(HitWhileDestroyed, IsWholeOrLoadedWithoutTheCache) {
  for (int round = 0; round < 20; ++round) {
    auto cache = std::make_unique<CacheManager>();
    const auto text = cache->cached({.prefix = "text", .tags = {"t"}},
                                    [](int n) { return std::string(100, 'a') + std::to_string(n); });
    const auto number = cache->cached({.prefix = "number"}, [](int n) { return n * 1.5; });
    std::atomic<bool> stop{false};
    std::atomic<int> reading{0};
    std::vector<std::shared_ptr<const std::string>> kept[2];
    std::jthread destroyer([&] {
      while (reading < 2) std::this_thread::yield();
      cache.reset();
      stop = true;
    });
    testing_support::on_threads(2, [&](std::size_t thread) {
      for (int i = 0; !stop || i < 200; ++i) {
        const int n = i % 10;
        kept[thread].push_back(text.shared(n));
        EXPECT_EQ(text(n), *kept[thread].back());
        EXPECT_EQ(number(n), n * 1.5);
        if (kept[thread].size() > 100) kept[thread].clear();
        if (i == 20) ++reading;
      }
    });
    destroyer.join();
    for (const auto& each : kept) {
      for (const auto& value : each) EXPECT_EQ(value->substr(0, 100), std::string(100, 'a'));
    }
  }
}

}  // namespace
}  // namespace dsta::cache
