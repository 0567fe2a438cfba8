#include "l1/unlinked.hpp"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "l1/hazard.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Unlinked::look_who_reads() {
  NodeStack batch;
  {
    const SpinGuard lock(shard_.lock);
    batch = std::exchange(shard_.retired, NodeStack());
  }
  std::vector<const Node*> announced;
  try {
    announced = Hazards::announced();
  } catch (const std::bad_alloc&) {  // the next one looks again: this runs in destructors
    const SpinGuard lock(shard_.lock);
    while (!batch.empty()) shard_.retired.push(batch.pop());
    return;
  }
  NodeStack read, unread;
  while (!batch.empty()) {
    Node* node = batch.pop();
    (std::ranges::binary_search(announced, node) ? read : unread).push(node);
  }
  if (free_all_) freed_.push_all(unread);
  const SpinGuard lock(shard_.lock);
  while (!read.empty()) shard_.retired.push(read.pop());
  while (!unread.empty()) shard_.unread.push(unread.pop());
  if (free_all_) freed_.push_all(shard_.unread);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
