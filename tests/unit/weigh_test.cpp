// What a value takes beyond its size, as the budget of L1 counts it.
#include <dsta/cache/detail/weigh.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/fields.hpp>

namespace weigh_test {

/// Looks like a pair, and has more.
struct Trio {
  std::string first, second, third;
};
struct Names {
  std::string names[2];
};
struct Node {
  int value = 0;
  std::shared_ptr<const Node> next;
};

}  // namespace weigh_test

using namespace weigh_test;

template <>
inline constexpr auto dsta::cache::fields<Trio> = dsta::cache::members<&Trio::first, &Trio::second, &Trio::third>;
template <>
inline constexpr auto dsta::cache::fields<Names> = dsta::cache::members<&Names::names>;
template <>
inline constexpr auto dsta::cache::fields<Node> = dsta::cache::members<&Node::value, &Node::next>;

namespace dsta::cache {
namespace {

TEST(Weigh, ADescribedStructWeighsAllItsFields) {
  EXPECT_GE(detail::heap_size(Trio{"", "", std::string(1000, 'x')}), 1000U);
}

TEST(Weigh, AnArrayWeighsWhatItsElementsDo) {
  EXPECT_GE(detail::heap_size(Names{{"", std::string(1000, 'x')}}), 1000U);
}

TEST(Weigh, OfAnEndlessChainIsWeighedWhatTheStackHolds) {
  std::vector<std::shared_ptr<Node>> nodes;  // freed one by one, and not by recursion
  for (int i = 0; i < 1'000'000; ++i) {
    auto node = std::make_shared<Node>();
    if (!nodes.empty()) node->next = nodes.back();
    nodes.push_back(std::move(node));
  }
  EXPECT_GE(detail::heap_size(*nodes.back()), 50 * sizeof(Node));
  while (!nodes.empty()) {
    nodes.back()->next.reset();
    nodes.pop_back();
  }
}

}  // namespace
}  // namespace dsta::cache
