// Entries that left the table.
#include "l1/node_stack.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace dsta::cache::detail {
namespace {

struct NodeStackTest : ::testing::Test {
  Node* node(std::uint32_t weight) {
    NodeRef made = make_node<std::shared_ptr<int>>(KeyView{"key", {}, 1}, alive);
    made->weight = weight;
    return made.release();
  }
  std::shared_ptr<int> alive = std::make_shared<int>(0);
};

TEST_F(NodeStackTest, WeighsWhatItHolds) {
  NodeStack stack;
  stack.push(node(10));
  stack.push(node(20));
  EXPECT_EQ(stack.count(), 2u);
  EXPECT_EQ(stack.weight(), 30u);
  EXPECT_EQ(stack.whole_weight(), 30u);
  const NodeRef last(stack.pop());
  EXPECT_EQ(last->weight, 20u) << "the last one pushed is the first one out";
  EXPECT_EQ(stack.weight(), 10u);
}

TEST_F(NodeStackTest, TakesAllOfAnotherOneWhicheverIsLarger) {
  for (const int here : {0, 1, 3}) {
    NodeStack stack, other;
    for (int i = 0; i < here; ++i) stack.push(node(10));
    for (int i = 0; i < 2; ++i) other.push(node(1));
    stack.push_all(other);
    EXPECT_TRUE(other.empty());
    EXPECT_EQ(stack.count(), static_cast<std::size_t>(here) + 2);
    EXPECT_EQ(stack.weight(), static_cast<std::size_t>(here) * 10 + 2);
    EXPECT_EQ(alive.use_count(), here + 3);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(NodeStackTest, PopsNoMoreThanItIsAskedFor) {
  NodeStack stack;
  for (int i = 0; i < 5; ++i) stack.push(node(10));
  const NodeStack two = stack.pop_some(2);
  EXPECT_EQ(two.count(), 2u);
  EXPECT_EQ(two.weight(), 20u);
  EXPECT_EQ(stack.count(), 3u);
  const NodeStack rest = stack.pop_some(4);
  EXPECT_EQ(rest.count(), 3u);
  EXPECT_TRUE(stack.empty());
  EXPECT_EQ(stack.weight(), 0u);
}

TEST_F(NodeStackTest, FreesWhatItStillHas) {
  {
    NodeStack stack;
    stack.push(node(1));
    stack.push(node(1));
    NodeStack moved = std::move(stack);
    EXPECT_TRUE(stack.empty());
    EXPECT_EQ(moved.count(), 2u);
    EXPECT_EQ(alive.use_count(), 3);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(NodeStackTest, DeferredEntriesAreCollectedByTheInnermostScope) {
  NodeStack outer, inner, freed;
  const DeferDestruction outer_scope(outer);
  {
    const DeferDestruction inner_scope(inner);
    freed.push(node(1));
    DeferDestruction::take(freed);
  }
  EXPECT_EQ(inner.count(), 1u);
  freed.push(node(1));
  DeferDestruction::take(freed);
  EXPECT_EQ(outer.count(), 1u);
  EXPECT_TRUE(freed.empty());
}

TEST_F(NodeStackTest, OutsideOfAScopeNothingIsDeferred) {
  NodeStack freed;
  freed.push(node(1));
  DeferDestruction::take(freed);
  EXPECT_EQ(freed.count(), 1u);
}

}  // namespace
}  // namespace dsta::cache::detail
