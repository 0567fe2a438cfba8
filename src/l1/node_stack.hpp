#pragma once
#include <cstddef>
#include <utility>

#include <dsta/cache/detail/node.hpp>

#include "entry/entry.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Nodes that left the table, linked by `next`; each holds the table's reference. Frees what it still has. One thread.
class NodeStack {
 public:
  NodeStack() = default;
  NodeStack(NodeStack&& other) noexcept { swap(other); }
  NodeStack& operator=(NodeStack&& other) noexcept {
    swap(other);
    return *this;
  }
  ~NodeStack() {
    while (!empty()) {
      NodeRef node(pop());
      if (empty()) break;
      // While this one is freed, the next one comes: entries of a large store are in no cache.
      __builtin_prefetch(head_);
      __builtin_prefetch(reinterpret_cast<const char*>(head_) + 64);
    }
  }
  void swap(NodeStack& other) noexcept {
    std::swap(reach_, other.reach_);
    std::swap(head_, other.head_);
    std::swap(count_, other.count_);
    std::swap(weight_, other.weight_);
  }
  /// Takes as long as the smaller one is.
  void push_all(NodeStack& other) {
    if (count_ < other.count_) swap(other);
    while (!other.empty()) push(other.pop());
  }
  /// Nodes that are linked by `next` already, and the sums over them.
  void push_chain(Node* first, Node* last, std::size_t count, std::size_t weight, std::size_t whole_weight) noexcept {
    last->next = std::exchange(head_, first);
    count_ += count;
    weight_ += weight;
    reach_ += whole_weight;
  }
  void push(Node* node) {
    node->next = std::exchange(head_, node);
    ++count_;
    weight_ += node->weight;
    reach_ += reach(*node);
  }
  /// At most so many.
  NodeStack pop_some(std::size_t most) {
    NodeStack some;
    if (count_ <= most) {
      some.swap(*this);
    } else {
      while (some.count_ < most) some.push(pop());
    }
    return some;
  }
  Node* pop() {
    --count_;
    weight_ -= head_->weight;
    reach_ -= reach(*head_);
    return std::exchange(head_, head_->next);
  }
  bool empty() const { return head_ == nullptr; }
  std::size_t count() const { return count_; }
  std::size_t weight() const { return weight_; }
  /// With what goes with them.
  std::size_t whole_weight() const { return reach_; }

 private:
  Node* head_ = nullptr;
  std::size_t count_ = 0;
  std::size_t weight_ = 0;
  std::size_t reach_ = 0;
};

/// While it lives, entries that operations of this thread take out of a store are not destroyed but collected: their
/// destructors are user code, which must not hold up this thread. One thread.
class DeferDestruction {
 public:
  explicit DeferDestruction(NodeStack& to) : outer_(std::exchange(to_, &to)) {}
  ~DeferDestruction() { to_ = outer_; }
  DeferDestruction(const DeferDestruction&) = delete;
  DeferDestruction& operator=(const DeferDestruction&) = delete;

  /// What is not collected stays in `freed`.
  static void take(NodeStack& freed) {
    if (to_) to_->push_all(freed);
  }

 private:
  static inline constinit thread_local NodeStack* to_ = nullptr;
  NodeStack* const outer_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
