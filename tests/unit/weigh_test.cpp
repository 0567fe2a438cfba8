// What a value takes beyond its size, as the budget of L1 counts it.
#include <dsta/cache/detail/weigh.hpp>

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <forward_list>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
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

TEST(Weigh, EveryStandardContainerWeighsWhatItAllocates) {
  const auto bits = detail::heap_size(std::vector<bool>(100'000));
  EXPECT_GE(bits, 12'500U);
  EXPECT_LE(bits, 13'000U);
  EXPECT_GE(detail::heap_size(std::vector<std::deque<int>>(100)), 100 * 512U);
  EXPECT_GE(detail::heap_size(std::deque<std::array<char, 1000>>(100)), 100 * 1000U);
  EXPECT_GE(detail::heap_size(std::forward_list<char>(1000)), 1000 * 32U);
  EXPECT_GE(detail::heap_size(std::tuple<std::list<char>, int>(std::list<char>(1000), 1)), 1000 * 32U);
  EXPECT_GE(detail::heap_size(std::variant<int, std::set<std::string>>(std::set<std::string>{std::string(1000, 'x')})),
            1000U);
  EXPECT_EQ(detail::heap_size(std::array<std::string, 2>()), 0U) << "the strings are inside";
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
