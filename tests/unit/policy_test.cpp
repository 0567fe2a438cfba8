// Which entries leave when the budget is used up.
#include "l1/policy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <unordered_map>

#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::scaled;

/// A cache of nothing but the policy: what a shard does with it, without table, wheel and lock.
class PolicyTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kBudget = 200'000;

  PolicyTest() { policy_.resize(kBudget / 100); }

  static std::uint64_t hash_of(std::uint64_t key) { return (key + 1) * 0x9e3779b97f4a7c15; }

  /// A read, and on a miss an insertion of `weight`. True on a hit.
  bool read(std::uint64_t key, std::uint32_t weight = 100) {
    if (const auto it = held_.find(key); it != held_.end()) {
      WindowClockPolicy::touch(*it->second);
      return true;
    }
    insert(key, weight);
    return false;
  }
  void insert(std::uint64_t key, std::uint32_t weight, bool counter = false) {
    NodeRef node = make_node<std::uint64_t>(KeyView{"key", {}, hash_of(key)}, key);
    node->weight = weight;
    node->counter = counter;
    policy_.add(node.get());
    held_.emplace(key, std::move(node));
    shrink();
  }
  void shrink() {
    policy_.fill_main(bounds_);
    while (!bounds_.hold(policy_.size())) {
      Node* victim = policy_.victim(bounds_);
      ASSERT_NE(victim, nullptr);
      ASSERT_NE(victim->place, Place::pinned);
      policy_.remove(victim);
      ASSERT_EQ(held_.erase(*static_cast<const std::uint64_t*>(victim->value())), 1u);
    }
  }

  Bounds bounds_{.weight = kBudget};
  WindowClockPolicy policy_;
  std::unordered_map<std::uint64_t, NodeRef> held_;
  std::mt19937_64 random_{5};
};

TEST_F(PolicyTest, WeighsExactlyWhatItHolds) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    const std::uint64_t key = random_() % 500;
    const auto weight =
        static_cast<std::uint32_t>(1 + random_() % 300);  // 500 of these stay below the budget: nothing is evicted
    if (const auto it = held_.find(key); it == held_.end()) {
      insert(key, weight, random_() % 10 == 0);
      total += weight;
    } else if (random_() % 2 == 0) {
      total -= it->second->weight;
      policy_.remove(it->second.get());
      held_.erase(it);
    } else {
      const NodeRef old = std::exchange(it->second, make_node<std::uint64_t>(KeyView{"key", {}, hash_of(key)}, key));
      it->second->weight = weight;
      it->second->counter = random_() % 10 == 0;
      policy_.replace(old.get(), it->second.get());
      total = total + weight - old->weight;
    }
    ASSERT_EQ(policy_.weight(), total);
    ASSERT_EQ(policy_.size().entries, held_.size());
    std::size_t pinned = 0;
    if (i % 64 != 0) continue;
    for (const auto& [held, node] : held_) pinned += node->counter ? node->weight : 0;
    ASSERT_EQ(policy_.pinned_weight(), pinned);
  }
}

TEST_F(PolicyTest, ARandomLoadNeverExceedsTheBudgetAndUsesMostOfIt) {
  for (std::size_t i = 0; i < scaled(400'000); ++i) {
    read(random_() % 20'000, static_cast<std::uint32_t>(20 + random_() % 2'000));
    ASSERT_LE(policy_.weight(), kBudget);
  }
  EXPECT_GE(policy_.weight(), kBudget * 8 / 10);
}

TEST_F(PolicyTest, CountersStayWhateverComesAndAreNeverVictims) {
  for (std::uint64_t key = 0; key < 500; ++key) insert(key, 100, true);
  for (std::size_t i = 0; i < scaled(100'000); ++i) read(1'000 + random_() % 50'000);
  for (std::uint64_t key = 0; key < 500; ++key) EXPECT_EQ(held_.count(key), 1u) << key;
}

TEST_F(PolicyTest, HasNoVictimWhenAllThatIsLeftIsPinned) {
  for (std::uint64_t key = 0; key < 10; ++key) insert(key, 100, true);
  EXPECT_EQ(policy_.victim(bounds_), nullptr);
}

TEST_F(PolicyTest, AScanLeavesTheHotSetInPlace) {
  constexpr std::uint64_t kHot = 1'000;  // half of what fits
  for (int round = 0; round < 5; ++round) {
    for (std::uint64_t key = 0; key < kHot; ++key) read(key);
  }
  std::uint64_t once = 1'000'000;
  std::size_t hits = 0, reads = 0;
  for (std::size_t round = 0; round < 100; ++round) {
    for (std::uint64_t key = 0; key < kHot; ++key, ++reads) {
      hits += read(key) ? 1 : 0;
      read(once++);
      read(once++);  // between two reads of a hot key come more others than fit: LRU would hit never
    }
  }
  EXPECT_GE(static_cast<double>(hits) / static_cast<double>(reads), 0.95);
}

TEST_F(PolicyTest, AWorkingSetThatMovesOnReplacesTheOldOne) {
  for (int round = 0; round < 20; ++round) {
    for (std::uint64_t key = 0; key < 1'000; ++key) read(key);
  }
  std::size_t hits = 0;
  for (int round = 0; round < 40; ++round) {
    hits = 0;
    for (std::uint64_t key = 5'000; key < 6'500; ++key) hits += read(key) ? 1 : 0;
  }
  EXPECT_GE(hits, 1'400u);
}

TEST_F(PolicyTest, ANewValueKeepsItsKeysPlaceInTheMainArea) {
  for (std::uint64_t key = 0; key < 1'900; ++key) insert(key, 100);
  NodeRef& held = held_.at(0);
  ASSERT_EQ(held->place, Place::main);
  const NodeRef old = std::exchange(held, make_node<std::uint64_t>(KeyView{"key", {}, hash_of(0)}, std::uint64_t{0}));
  held->weight = 100;
  policy_.replace(old.get(), held.get());
  EXPECT_EQ(held->place, Place::main);
  EXPECT_EQ(old->place, Place::none);
}

TEST_F(PolicyTest, ABoundByEntriesLeavesTheMainAreaNineTenths) {
  bounds_ = {.weight = 100 * kBudget, .entries = 1'000};
  for (std::uint64_t key = 0; key < 2'000; ++key) insert(key, 100);
  ASSERT_EQ(held_.size(), 1'000u);
  const auto in_window =
      std::ranges::count_if(held_, [](const auto& entry) { return entry.second->place == Place::window; });
  EXPECT_EQ(in_window, 100);
}

TEST_F(PolicyTest, WithAFewEntriesTheNewestIsNeverTheVictim) {
  for (std::size_t entries = 1; entries <= 25; ++entries) {
    bounds_ = {.weight = kBudget, .entries = entries};
    for (std::uint64_t key = 1'000 * entries; key < 1'000 * entries + 100; ++key) {
      for (const auto& [held, node] : held_) WindowClockPolicy::touch(*node);
      insert(key, 100);
      ASSERT_EQ(held_.count(key), 1u) << entries << " entries";
    }
  }
}

}  // namespace
}  // namespace dsta::cache::detail
