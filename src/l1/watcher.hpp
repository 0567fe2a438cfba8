#pragma once
#include <new>
#include <vector>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Entries under new keys since somebody began to look at those that there are.
class Watcher {
 public:
  void note(Node& node) noexcept {
    try {
      added_.push_back(NodeRef::to(node));
    } catch (const std::bad_alloc&) {
      missed_ = true;
    }
  }
  /// There was no memory for all of them: the whole shard is to be looked at.
  bool missed() const { return missed_; }
  std::vector<NodeRef>& added() { return added_; }

 private:
  std::vector<NodeRef> added_;
  bool missed_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
