// A store whose entries are bounded, not only their bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "l1/hit.hpp"

namespace dsta::cache::detail {
namespace {

const TimePoint kNow{std::chrono::hours(1)};

/// Keys by Zipf's law with exponent 0.99, the same in every run.
std::vector<std::uint32_t> zipf_trace(std::size_t keys, std::size_t draws) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (std::size_t i = 0; i < keys; ++i) sums[i] = sum += std::pow(static_cast<double>(i + 1), -0.99);
  std::mt19937_64 random(11);
  std::vector<std::uint32_t> trace(draws);
  for (auto& key : trace) {
    const double draw = static_cast<double>(random() >> 11) * 0x1p-53 * sum;
    key = static_cast<std::uint32_t>(std::ranges::lower_bound(sums, draw) - sums.begin());
  }
  return trace;
}

/// A store that numbers are read from, and put into on a miss.
class ReadThrough {
 public:
  explicit ReadThrough(const L1Options& options) : store_(options, kNow) {}

  /// True on a hit.
  bool read(std::uint32_t number) {
    char name[16] = {};
    std::snprintf(name, sizeof name, "%08u", number);
    const KeyView key{std::string_view(name, 8), {}, hash_of(number)};
    NodeRef found;
    if (store_.find(thread_record(), key, kTypeOps<std::uint32_t>, nullptr, kNow, found) != Freshness::miss)
      return true;
    NodeRef made = make_node<std::uint32_t>(key, number);
    made->refresh_at = made->fresh_until = made->stale_until = TimePoint::max();
    store_.put(std::move(made), kNow);
    return false;
  }
  std::uint64_t entries() { return store_.contents(kNow).entries; }

 private:
  /// Not the process's hash, whose seed is random: the same keys share a bucket in every run. But as well mixed, since
  /// the table and the sketch use all of its bits.
  static std::uint64_t hash_of(std::uint64_t number) {
    std::uint64_t hash = (number + 1) * 0x9e3779b97f4a7c15;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
    return hash ^ hash >> 31;
  }

  Store store_;
};

/// Of the second half of the trace: the first one fills the store.
double hit_ratio(ReadThrough& cache, const std::vector<std::uint32_t>& trace) {
  std::size_t hits = 0;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const bool hit = cache.read(trace[i]);
    if (i >= trace.size() / 2 && hit) ++hits;
  }
  return static_cast<double>(hits) / static_cast<double>(trace.size() - trace.size() / 2);
}

TEST(EntryBound, HitsAsOftenAsByBytesThatHoldAsMany) {
  const auto trace = zipf_trace(50'000, 200'000);
  ReadThrough by_bytes({.max_bytes = std::size_t{1} << 20});
  const double expected = hit_ratio(by_bytes, trace);
  const std::uint64_t fit = by_bytes.entries();
  ReadThrough by_entries({.max_bytes = std::size_t{3} << 20, .max_entries = fit});
  EXPECT_NEAR(hit_ratio(by_entries, trace), expected, 0.005) << fit << " entries";
  EXPECT_EQ(by_entries.entries(), fit);
}

TEST(EntryBound, WhatWasJustPutIsThereHoweverFewFit) {
  for (std::size_t bound = 1; bound <= 30; ++bound) {
    ReadThrough cache({.max_bytes = std::size_t{1} << 20, .max_entries = bound});
    for (std::uint32_t number = 0; number < 100; ++number) {
      cache.read(number);
      ASSERT_TRUE(cache.read(number)) << number << " of a store of " << bound;
    }
    EXPECT_EQ(cache.entries(), bound);
  }
}

}  // namespace
}  // namespace dsta::cache::detail
