// A program that makes things without end (wrappers, tags, prefixes, keys, managers, threads) stays within the budget,
// measured by what the kernel says. DSTA_CACHE_GROWTH=long makes it millions of each.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::kSanitized;
using testing_support::scaled;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kBudget = 16 * kMiB;

std::size_t resident() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0, pages = 0;
  statm >> size >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// So many by hand, a fiftieth of it otherwise.
std::size_t many(std::size_t n) {
  const char* const growth = std::getenv("DSTA_CACHE_GROWTH");
  return growth && std::string(growth) == "long" ? n : scaled(n / 50);
}

/// Text that is long enough to weigh, and differs.
std::string wordy(std::size_t i, std::size_t size = 400) { return std::to_string(i) + std::string(size, '.'); }

struct Growth : ::testing::Test {
  /// Runs `step` for 0, 1, …, and looks at the process ten times meanwhile.
  void expect_bounded(std::size_t steps, const std::function<void(std::size_t)>& step) {
    const std::size_t before = resident();
    std::size_t most = 0;
    for (std::size_t i = 0; i < steps; ++i) {
      step(i);
      if ((i + 1) % std::max<std::size_t>(1, steps / 10) == 0) most = std::max(most, resident());
    }
    const std::size_t growth = most > before ? most - before : 0;
    RecordProperty("growth_kib", static_cast<int>(growth >> 10));
    // A sanitizer's shadow and quarantine are not the cache's.
    if (!kSanitized) {
      EXPECT_LE(growth, kBudget * 11 / 10 + 16 * kMiB);
    }
    EXPECT_LE(clean.cache.get_stats().bytes, kBudget);
  }

  testing::CleanCache clean{{.l1 = {.max_bytes = kBudget}}};
  CacheManager& cache = clean.cache;
};

TEST_F(Growth, OfWrappersThatLeaveAValueBehindIsPaidByTheBudget) {
  expect_bounded(many(2'000'000), [&](std::size_t i) {
    const auto f = cache.cached({.ttl = 1h, .prefix = "w" + std::to_string(i), .name = "f"}, [](int n) { return n; });
    for (int n = 0; n < 2; ++n) ASSERT_EQ(f(n), n);
  });
  if (!kSanitized) {  // which makes fewer
    EXPECT_GT(cache.get_stats().evictions, 0u);
  }
}

TEST_F(Growth, OfBusyWrappersWithLongNamesAndTagsEndsWithThem) {
  expect_bounded(many(400'000), [&](std::size_t i) {
    const auto f = cache.cached({.ttl = 1h, .prefix = wordy(i), .name = wordy(i), .tags = {wordy(i) + ":{0}"}},
                                [i](std::size_t n) { return n + i; });
    for (std::size_t n = 0; n < 100; ++n) ASSERT_EQ(f(7), 7 + i);
    if (i % 3 == 0) f.cache_clear();
    if (i % 3 == 1) f.invalidate(std::size_t{7});
  });
}

TEST_F(Growth, OfWrappersWhoseEntriesAllGoAtOnceIsGivenBack) {
  expect_bounded(many(500), [&](std::size_t round) {
    for (std::size_t i = 0; i < 5'000; ++i) {
      const auto f = cache.cached({.ttl = 1h, .prefix = wordy(round * 5'000 + i)}, [](int n) { return n; });
      (void)f(1);
    }
    cache.flush_all();
  });
}

TEST_F(Growth, OfTagsIsPaidByTheBudget) {
  expect_bounded(many(4'000'000), [&](std::size_t i) {
    ASSERT_TRUE(cache.set("k" + std::to_string(i), i, {.ttl = 1h, .tags = {wordy(i), "second " + std::to_string(i)}}));
  });
  if (!kSanitized) {  // which makes fewer
    EXPECT_GT(cache.get_stats().evictions, 0u);
  }
}

TEST_F(Growth, OfVeryLongTagsIsPaidByTheBudget) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f", .tags = {"f:{0}"}}, [](const std::string&) { return 1; })
                     .key_builder([](const std::string& s) { return s.substr(0, 20); });
  expect_bounded(many(200'000), [&](std::size_t i) {
    (void)f(wordy(i, 60'000));
    ASSERT_TRUE(cache.set("k" + std::to_string(i), i, {.ttl = 1h, .tags = {wordy(i, 60'000)}}));
    cache.invalidate_tag(wordy(i, 50'000));
  });
  if (!kSanitized) {  // which makes fewer
    EXPECT_GT(cache.get_stats().evictions, 0u);
  }
}

TEST_F(Growth, OfInvalidatedTagsEnds) {
  expect_bounded(many(10'000'000), [&](std::size_t i) {
    cache.invalidate_tag(wordy(i), i % 2 == 0 ? TagMode::remove : TagMode::expire);
  });
}

TEST_F(Growth, OfTagsOfLoadsThatAreNotKeptEnds) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f", .tags = {"f:{0}"}}, [](const std::string& s) { return s; })
                     .condition([](const std::string&) { return false; })
                     .adaptive_tags([](const std::string& s) { return std::vector{"value " + s}; });
  expect_bounded(many(4'000'000), [&](std::size_t i) { (void)f(wordy(i)); });
}

TEST_F(Growth, OfPrefixesOfManualCallsIsPaidByTheBudget) {
  expect_bounded(many(2'000'000), [&](std::size_t i) {
    const EntryOptions options{.ttl = 1h, .prefix = wordy(i, 100)};
    (void)cache.get<int>("absent", options);
    (void)cache.get_or_load(
        "loaded", [i] { return i; }, options);
    ASSERT_TRUE(cache.set("set", 1, options));
    (void)cache.increment("number", 1, {.ttl = 1s, .prefix = options.prefix});
    (void)cache.del("set", options);
    if (i % 1'000 == 0) clean.clock->advance(2s);
  });
  EXPECT_LE(cache.get_stats_by_prefix().size(), 513u);
}

TEST_F(Growth, OfKeysThatAreOnlyAskedForOrRemovedIsNone) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f", .name = "f"}, [](const std::string& s) { return s; });
  expect_bounded(many(4'000'000), [&](std::size_t i) {
    const std::string key = wordy(i);
    (void)cache.get<int>(key);
    (void)cache.del(key);
    (void)cache.exists(key);
    f.invalidate(key);
    (void)f.peek(key);
  });
  EXPECT_EQ(cache.get_stats().entries, 0u);
}

TEST_F(Growth, OfRememberedAbsencesIsPaidByTheBudget) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f", .negative_ttl = 1h},
                              [](const std::string&) { return std::optional<int>(); });
  expect_bounded(many(4'000'000), [&](std::size_t i) { (void)f(wordy(i)); });
  if (!kSanitized) {  // which makes fewer
    EXPECT_GT(cache.get_stats().evictions, 0u);
  }
}

TEST_F(Growth, OfLoadsUnderWayAtOnceEndsWithThem) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, [](std::size_t n) { return n; })
                     .bulk_loader([](const std::vector<std::size_t>& items) { return items; });
  std::vector<std::size_t> items(20'000);
  expect_bounded(many(500), [&](std::size_t round) {
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = round * items.size() + i;
    (void)f.many(items);
  });
}

TEST_F(Growth, OfManagersEndsWithThem) {
  expect_bounded(many(100'000), [&](std::size_t i) {
    CacheManager other({.l1 = {.max_bytes = kMiB}});
    const auto f = other.cached({.ttl = 1h, .prefix = "f", .tags = {"t:{0}"}}, [i](std::size_t n) { return n + i; });
    for (std::size_t n = 0; n < 100; ++n) ASSERT_EQ(f(n), n + i);
    ASSERT_TRUE(other.set(wordy(i), wordy(i, 10'000), {.tags = {wordy(i)}}));
    other.set_preset("p", {.ttl = 1s});
    f.cache_clear();
  });
}

TEST_F(Growth, OfThreadsEndsWithThem) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, [](std::size_t n) { return wordy(n); });
  expect_bounded(many(500'000), [&](std::size_t i) { std::thread([&] { ASSERT_EQ(f(i), wordy(i)); }).join(); });
}

}  // namespace
}  // namespace dsta::cache
