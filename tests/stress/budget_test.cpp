// The budget is a promise about the process's memory, not about a counter: measured by what the kernel says.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "scale.hpp"

namespace dsta::cache {
namespace {

using testing_support::kSanitized;
using testing_support::scaled;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kBudget = 64 * kMiB;

std::size_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0, pages = 0;
  statm >> size >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// After giving back what earlier tests freed, so that their leavings do not hide a growth.
std::size_t resident_at_rest() {
  malloc_trim(0);
  return resident();
}

/// How far the process grows while `fill` works on a cache with the budget, at the worst of the moments it looks.
class BudgetTest : public ::testing::Test {
 protected:
  void look() {
    const std::size_t now = resident();
    if (now > before_) growth_ = std::max(growth_, now - before_);
  }
  void expect_kept() {
    look();
    const CacheStats stats = clean_.cache.get_stats();
    EXPECT_LE(stats.bytes, kBudget);
    if (stats.evictions > 0) {
      EXPECT_GE(stats.bytes, kBudget * 9 / 10) << "the budget is there to be used";
    }
    RecordProperty("growth_kib", static_cast<int>(growth_ >> 10));
    std::cout << "resident growth " << static_cast<double>(growth_) / kMiB << " MiB, " << stats.entries << " entries, "
              << static_cast<double>(stats.bytes) / kMiB << " MiB accounted\n";
    // A sanitizer's shadow and quarantine are not the cache's.
    if (!kSanitized) {
      EXPECT_GT(stats.evictions, 0u);
      EXPECT_LE(growth_, kBudget * 11 / 10 + 16 * kMiB);
    }
  }

  std::size_t before_ = resident_at_rest();
  std::size_t growth_ = 0;
  testing::CleanCache clean_{{.l1 = {.max_bytes = kBudget}}};
};

TEST_F(BudgetTest, HoldsForTenMillionKeysWithValuesOfOneKiB) {
  const std::string value(1024, 'v');
  const std::size_t inserts = scaled(10'000'000);
  for (std::size_t i = 0; i < inserts; ++i) {
    clean_.cache.set("key:" + std::to_string(i), value);
    if (i % 65'536 == 0) look();
  }
  expect_kept();
}

TEST_F(BudgetTest, HoldsForEightThreads) {
  const std::size_t inserts = scaled(400'000);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        const std::string value(1024, 'v');
        for (std::size_t i = 0; i < inserts; ++i) clean_.cache.set(std::to_string(t) + ":" + std::to_string(i), value);
      });
    }
    for (int i = 0; i < 100; ++i) look();
  }
  expect_kept();
}

TEST_F(BudgetTest, HoldsForValuesOfMixedSizes) {
  std::mt19937_64 random(9);
  const std::size_t inserts = scaled(2'000'000);
  for (std::size_t i = 0; i < inserts; ++i) {
    // From a byte to 64 KiB, every magnitude alike.
    const std::size_t size = random() % (std::size_t{1} << (1 + random() % 16)) + 1;
    clean_.cache.set("key:" + std::to_string(random() % 5'000'000), std::string(size, 'v'));
    if (i % 16'384 == 0) look();
  }
  expect_kept();
}

TEST_F(BudgetTest, HoldsForSmallValuesWithTagsAndReadsInBetween) {
  std::mt19937_64 random(10);
  const std::size_t inserts = scaled(3'000'000);
  for (std::size_t i = 0; i < inserts; ++i) {
    const std::string key = std::to_string(random() % 10'000'000);
    clean_.cache.set(key, i, {.tags = {"tag" + std::to_string(i % 1'000)}});
    (void)clean_.cache.get<std::size_t>(std::to_string(random() % 10'000'000));
    if (i % 65'536 == 0) look();
  }
  expect_kept();
}

}  // namespace
}  // namespace dsta::cache
