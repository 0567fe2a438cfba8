// The in-process hash table against std::unordered_map.
#include "l1/table.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::scaled;

/// Nodes by hash, as the shard would own them.
class TableTest : public ::testing::Test {
 protected:
  Node* add(std::uint64_t hash) {
    NodeRef& node = nodes_[hash];
    node = make_node<std::uint64_t>(KeyView{"key", {}, hash}, hash);
    return node.get();
  }
  Node* find(std::uint64_t hash) const {
    return table_.find(hash, [&](const Node& node) { return node.hash == hash; });
  }

  /// The same without the lock.
  Node* read(std::uint64_t hash) const {
    Node* found = nullptr;
    table_.read(
        thread_record(), hash, [&](const Node& node) { return node.hash == hash; }, [&](Node& node) { found = &node; });
    return found;
  }

  Table table_;
  std::unordered_map<std::uint64_t, NodeRef> nodes_;
  std::mt19937_64 random_{7};
};

TEST_F(TableTest, HoldsWhatAMapHoldsThroughRandomChanges) {
  std::vector<std::uint64_t> hashes(5'000);
  for (auto& hash : hashes) hash = random_();
  std::unordered_map<std::uint64_t, Node*> model;
  for (std::size_t i = 0; i < scaled(300'000); ++i) {
    const std::uint64_t hash = hashes[random_() % hashes.size()];
    const auto known = model.find(hash);
    Node* const expected = known == model.end() ? nullptr : known->second;
    ASSERT_EQ(find(hash), expected) << "step " << i;
    ASSERT_EQ(read(hash), expected) << "step " << i;
    ASSERT_EQ(read(hash), expected) << "step " << i << ", tried first where it was just now";
    if (known == model.end()) {
      table_.insert(model[hash] = add(hash));
    } else if (random_() % 4 == 0) {
      const NodeRef old = nodes_[hash];
      table_.replace(old.get(), model[hash] = add(hash));
    } else {
      table_.remove(known->second);
      model.erase(known);
    }
    ASSERT_EQ(table_.size(), model.size());
  }
  std::unordered_map<std::uint64_t, Node*> visited;
  table_.each([&](Node& node) { EXPECT_TRUE(visited.emplace(node.hash, &node).second) << "visited twice"; });
  EXPECT_EQ(visited, model);
}

TEST_F(TableTest, WhatStandsWhereAnotherWasReadIsNotTakenForIt) {
  constexpr std::uint64_t kTag = std::uint64_t{5} << 48;
  const std::uint64_t one = kTag | 1, other = kTag | 2;  // the same buckets and upper bits
  table_.insert(add(one));
  ASSERT_EQ(read(one), nodes_[one].get());
  table_.remove(nodes_[one].get());
  EXPECT_EQ(read(one), nullptr);
  table_.insert(add(other));
  EXPECT_EQ(read(one), nullptr);
  EXPECT_EQ(read(other), nodes_[other].get());
  table_.insert(add(one));
  EXPECT_EQ(read(one), nodes_[one].get()) << "beside what is tried first";
}

TEST_F(TableTest, FindsEveryEntryAfterEachGrowth) {
  std::vector<std::uint64_t> inserted;
  std::size_t growths = 0;
  for (std::size_t i = 0; i < scaled(60'000); ++i) {
    const std::size_t before = table_.capacity();
    inserted.push_back(random_());
    table_.insert(add(inserted.back()));
    if (table_.capacity() == before) continue;
    ++growths;
    for (const std::uint64_t hash : inserted) ASSERT_EQ(find(hash), nodes_[hash].get());
  }
  EXPECT_GE(growths, 5u);
}

TEST_F(TableTest, IsAtLeastHalfFullWhenItGrows) {
  for (std::size_t i = 0; i < scaled(200'000); ++i) {
    const std::size_t before = table_.capacity(), held = table_.size();
    table_.insert(add(random_()));
    if (table_.capacity() != before && before >= 1024) {
      EXPECT_GE(held * 2, before);
    }
  }
}

TEST_F(TableTest, TellsApartKeysWhoseTagsAndBucketsAreTheSame) {
  // The same low 48 bits: the same shard and buckets. The same high 16: the same tag.
  const std::uint64_t hash = 0xabcd'0000'1234'5678;
  const NodeRef one = make_node<int>(KeyView{"one", {}, hash}, 1), two = make_node<int>(KeyView{"two", {}, hash}, 2);
  table_.insert(one.get());
  table_.insert(two.get());
  const auto named = [&](std::string_view name) {
    return table_.find(hash, [&](const Node& node) { return node.name() == name; });
  };
  EXPECT_EQ(named("one"), one.get());
  EXPECT_EQ(named("two"), two.get());
  EXPECT_EQ(named("three"), nullptr);
  table_.remove(one.get());
  EXPECT_EQ(named("one"), nullptr);
  EXPECT_EQ(named("two"), two.get());
}

TEST_F(TableTest, TheZeroHashIsAHashLikeAnyOther) {
  EXPECT_EQ(find(0), nullptr);
  Node* node = add(0);
  table_.insert(node);
  EXPECT_EQ(find(0), node);
  table_.remove(node);
  EXPECT_EQ(find(0), nullptr);
  EXPECT_EQ(table_.size(), 0u);
}

}  // namespace
}  // namespace dsta::cache::detail
