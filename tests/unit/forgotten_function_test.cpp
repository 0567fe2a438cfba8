// A function's record goes when nothing needs it any more: neither a wrapper, nor an entry, nor a load. What it said
// stays true.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "entry/identities.hpp"
#include "hand_executor.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::HandExecutor;
using testing_support::scaled;

struct ForgottenFunction : ::testing::Test {
  std::shared_ptr<HandExecutor> background = std::make_shared<HandExecutor>();
  testing::CleanCache clean{{.executor = background}};
  CacheManager& cache = clean.cache;

  /// More functions than are remembered when nothing refers to them.
  void crowd_out() {
    for (int i = 0; i < 3'000; ++i) {
      (void)cache.cached({.prefix = "passing " + std::to_string(++passed), .name = std::string(400, 'n')},
                         [](int n) { return n; });
    }
  }
  int passed = 0;
};

TEST_F(ForgottenFunction, LeavesItsCountsInTheTotals) {
  constexpr std::uint64_t kFunctions = 4'000;
  for (std::uint64_t i = 0; i < kFunctions; ++i) {
    const auto f =
        cache.cached({.prefix = "p" + std::to_string(i), .name = std::string(400, 'n')}, [](int n) { return n; });
    for (int n = 0; n < 3; ++n) ASSERT_EQ(f(7), 7);
    f.cache_clear();
  }
  crowd_out();
  const CacheStats stats = cache.get_stats();
  EXPECT_EQ(stats.hits, 2 * kFunctions);
  EXPECT_EQ(stats.misses, kFunctions);
  EXPECT_EQ(stats.loads, kFunctions);
  CacheStats sum;
  const auto by_prefix = cache.get_stats_by_prefix();
  for (const auto& [prefix, of_prefix] : by_prefix) sum.hits += of_prefix.hits, sum.loads += of_prefix.loads;
  EXPECT_EQ(sum.hits, stats.hits);
  EXPECT_EQ(sum.loads, stats.loads);
  EXPECT_LE(by_prefix.size(), 513u);
  EXPECT_EQ(by_prefix.at("p0").hits, 2u);
  EXPECT_GT(by_prefix.at("(other)").hits, 0u);
  cache.clear_stats();
  EXPECT_EQ(cache.get_stats().total_requests, 0u);
  EXPECT_TRUE(cache.get_stats_by_prefix().empty());
}

TEST_F(ForgottenFunction, IsNoneThatHasAnEntry) {
  int runs = 0;
  const auto same = [&] {
    return cache.cached({.ttl = 1h, .prefix = "f"}, [counter = &runs](int n) { return ++*counter, n; });
  };
  const auto other = [&](int add) {
    return cache.cached({.ttl = 1h, .prefix = "f"}, [add](int n) { return n + add; });
  };
  EXPECT_EQ(same()(1), 1);
  crowd_out();
  EXPECT_EQ(same()(1), 1);
  EXPECT_EQ(runs, 1);
  crowd_out();
  EXPECT_EQ(other(10).peek(1), std::nullopt) << "another function's";
  EXPECT_EQ(other(10)(1), 11);
  crowd_out();
  EXPECT_EQ(other(20)(1), 21);
}

TEST_F(ForgottenFunction, IsNoneThatIsBeingLoaded) {
  std::atomic<int> runs{0};
  const auto wrap = [&] {
    return cache.cached({.ttl = 60s, .prefix = "f", .stale_for = 1h},
                        [counter = &runs](int n) { return n + ++*counter; });
  };
  EXPECT_EQ(wrap()(1), 2);
  clean.clock->advance(90s);
  EXPECT_EQ(wrap()(1), 2) << "stale, and a refresh waits for the executor";
  cache.del("f:1");  // the entry is gone, the load is not
  crowd_out();
  EXPECT_EQ(background->run(), 1u);
  crowd_out();
  EXPECT_EQ(wrap()(1), 4) << "what del came after is not kept";
  EXPECT_EQ(runs, 3);
}

TEST_F(ForgottenFunction, TakesNoClearAlong) {
  const auto wrap = [&] { return cache.cached({.ttl = 1h, .prefix = "f"}, [](int n) { return n; }); };
  cache.set("f:1", 100, {.ttl = 1h});
  {
    const auto f = wrap();
    EXPECT_EQ(f.peek(1), 100);
    f.cache_clear();
    EXPECT_EQ(f.peek(1), std::nullopt);
  }
  crowd_out();
  EXPECT_EQ(wrap().peek(1), std::nullopt) << "a value older than the clear came back";
  cache.set("f:1", 200, {.ttl = 1h});
  EXPECT_EQ(wrap().peek(1), 200);
}

TEST_F(ForgottenFunction, KeepsItsCountsWhileItIsRemembered) {
  const auto wrap = [&] { return cache.cached({.ttl = 1h, .prefix = "f"}, [](int n) { return n; }); };
  for (int round = 0; round < 3; ++round) {
    const auto f = wrap();
    for (int i = 0; i < 100; ++i) (void)f(1);
  }
  EXPECT_EQ(wrap().cache_info().hits, 299u);
}

TEST_F(ForgottenFunction, IsChargedOnlyWhileAnEntryKeepsIt) {
  const std::uint64_t before = cache.get_stats().bytes;
  const std::string name(1'000, 'n');
  auto f = std::optional(cache.cached({.ttl = 1h, .prefix = "f", .name = name}, [](int n) { return n; }));
  (void)(*f)(1);
  const std::uint64_t with_wrapper = cache.get_stats().bytes;
  f.reset();
  EXPECT_GT(cache.get_stats().bytes, with_wrapper + name.size());
  cache.flush_all();
  EXPECT_EQ(cache.get_stats().bytes, before);
}

TEST(ForgottenFunctions, OfManyThreadsNeverServeEachOther) {
  testing::CleanCache clean({.l1 = {.max_bytes = 64 << 10}});
  CacheManager& cache = clean.cache;
  const auto work = [&](std::size_t me) {
    for (std::size_t i = 0; i < scaled(8'000); ++i) {
      // Some are wrapped by all threads, some by one.
      const std::string prefix = "f" + std::to_string(i % 3 == 0 ? i % 7 : i * 8 + me);
      const auto f = cache.cached({.ttl = 1h, .prefix = prefix, .tags = {prefix + ":{0}", "all"}},
                                  [](const std::string& s) { return s + "!"; });
      for (const char* text : {"a", "b", "a"}) ASSERT_EQ(f(text), std::string(text) + "!");
      if (i % 5 == 0) f.cache_clear();
      if (i % 7 == 0) f.invalidate("a");
      if (i % 11 == 0) cache.invalidate_tag(prefix + ":a");
      if (i % 501 == 0) cache.flush_all();
      if (i % 101 == 0) (void)cache.get_stats_by_prefix();
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < 4; ++t) threads.emplace_back(work, t);
  threads.clear();
  const CacheStats stats = cache.get_stats();
  EXPECT_EQ(stats.total_requests, 4 * 3 * scaled(8'000));
}

TEST(IdentityTable, ForgetsNoTagsOfEntriesThatMayStandElsewhere) {
  std::atomic<std::size_t> charged{0};
  for (const bool elsewhere : {false, true}) {
    detail::IdentityTable table(charged, elsewhere);
    static const int type = 0;
    const detail::FunctionMark mark{.type = &type, .comparable = true, .state = {}, .where = {}};
    const auto pass = [&](const std::string& prefix, const std::string& name, const std::string& kind) {
      detail::Identity& function = table.add(prefix, name, mark).identity;
      table.note_tags(function, {kind + ":{0}"}, 1);
      table.release(function);
    };
    pass("api", "a", "symbol");
    pass("api:b", "c", "symbol");
    EXPECT_TRUE(table.all_carry("api", "symbol"));
    const auto crowd_out = [&] {
      for (int i = 0; i < 6'000; ++i) pass("other", std::string(400, 'n') + std::to_string(i), "symbol");
    };
    crowd_out();
    EXPECT_FALSE(table.find("api:a"));
    EXPECT_TRUE(table.all_carry("api", "symbol"));
    pass("api", "d", "user");
    EXPECT_FALSE(table.all_carry("api", "symbol"));
    crowd_out();
    EXPECT_FALSE(table.find("api:d"));
    EXPECT_EQ(table.all_carry("api", "symbol"), !elsewhere) << "entries without the tag may stand at L2";
    EXPECT_TRUE(table.all_carry("api:b", "symbol") || elsewhere);
    EXPECT_TRUE(table.all_carry("other", "symbol"));
  }
  EXPECT_EQ(charged, 0u);
}

TEST(FunctionCounters, AreExactWhenTheyGrowAndWhenTheyRest) {
  detail::Counters counters;
  detail::Totals totals{};
  constexpr std::uint64_t kEach = 20'000;
  for (int round = 1; round <= 2; ++round) {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 24; ++t) {
      threads.emplace_back([&] {
        for (std::uint64_t i = 0; i < kEach; ++i) counters.add(detail::Count::hits);
        counters.add(detail::Count::load_nanoseconds, 1'000);
      });
    }
    threads.clear();
    if (round == 1) counters.rest();
    totals = {};
    counters.add_to(totals);
    // The first additions of two threads may be to the same array, later ones to a stripe of each.
    EXPECT_EQ(totals[static_cast<std::size_t>(detail::Count::hits)], kEach * 24 * static_cast<unsigned>(round));
    EXPECT_EQ(totals[static_cast<std::size_t>(detail::Count::load_nanoseconds)],
              24'000u * static_cast<unsigned>(round));
  }
  counters.clear();
  counters.rest();
  totals = {};
  counters.add_to(totals);
  EXPECT_EQ(totals, detail::Totals{});
}

}  // namespace
}  // namespace dsta::cache
