// Where an entry's key and value lie.
#include <dsta/cache/detail/node.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace dsta::cache::detail {
namespace {

struct alignas(16) Wide {
  std::uint64_t low, high;
  bool operator==(const Wide&) const = default;
};

template <class T>
void expect_kept(const T& value) {
  for (std::size_t name = 0; name < 40; ++name) {
    for (const std::size_t full : std::initializer_list<std::size_t>{0, 1, 7, 8, 300}) {
      const std::string key(name, 'n'), whole(full, 'w');
      const NodeRef node = make_node<T>(KeyView{key, whole, 1}, value);
      EXPECT_EQ(node->name(), key);
      EXPECT_EQ(node->full(), whole);
      EXPECT_EQ(node.as<T>(), value);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(node->value()) % alignof(T), 0u);
      // Keys are compared by whole words.
      for (std::size_t i = name; i % 8 != 0; ++i) EXPECT_EQ(node->name().data()[i], '\0');
      EXPECT_GE(node->weight, sizeof(Node) + name + full + sizeof(T));
    }
  }
}

TEST(NodeTest, KeepsKeyAndValueOfAnySize) {
  expect_kept<char>('c');
  expect_kept<std::uint64_t>(7);
  expect_kept<std::array<char, 61>>({'a', 'b'});
  expect_kept<Wide>({1, 2});
  expect_kept<std::string>("a value that is longer than what a string keeps in itself");
}

TEST(NodeTest, AWeightThatCannotBeCountedIsTooHeavy) {
  const NodeRef node = make_node<int>(KeyView{"key", {}, 1}, 1);
  node->add_weight(std::size_t{1} << 40);
  EXPECT_EQ(node->weight, Node::kTooHeavy);
  node->add_weight(1);
  EXPECT_EQ(node->weight, Node::kTooHeavy);
}

}  // namespace
}  // namespace dsta::cache::detail
