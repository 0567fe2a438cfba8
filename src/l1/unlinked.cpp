#include "l1/unlinked.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "l1/hazard.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

NodeStack take_retired(Shard& shard) {
  const SpinGuard lock(shard.lock);
  return std::exchange(shard.retired, NodeStack());
}

void give_back(Shard& shard, NodeStack& batch) {
  const SpinGuard lock(shard.lock);
  shard.retired.push_all(batch);
}

/// Splits off those that somebody reads.
NodeStack split_read(NodeStack& batch, const std::vector<const Node*>& announced) {
  NodeStack read, unread;
  if (announced.empty()) return read;
  while (!batch.empty()) {
    Node* node = batch.pop();
    (std::ranges::binary_search(announced, node) ? read : unread).push(node);
  }
  batch = std::move(unread);
  return read;
}

}  // namespace

void Unlinked::look_who_reads(Shard& shard) {
  NodeStack batch = take_retired(shard);
  NodeStack read;
  if (!batch.empty()) {
    try {
      read = split_read(batch, Hazards::announced());
    } catch (const std::bad_alloc&) {  // the next one looks again: this runs in destructors
      return give_back(shard, batch);
    }
  }
  freed_.push_all(batch);
  const SpinGuard lock(shard.lock);
  shard.retired.push_all(read);
  freed_.push_all(shard.unread);
}

void Unlinked::look_who_reads_together() {
  {
    const SpinGuard lock(shard_.lock);
    if (!has_batch(shard_)) return;
  }
  // The shard and its neighbours; so many that the barrier's cost for each is small.
  constexpr std::size_t kTogether = 16;
  const auto own = static_cast<std::size_t>(&shard_ - shard_.all);
  const std::span neighbours(shard_.all + own / kTogether * kTogether, std::min(shard_.parts, kTogether));
  std::array<NodeStack, kTogether> batches;
  for (std::size_t i = 0; i < neighbours.size(); ++i) batches[i] = take_retired(neighbours[i]);
  std::vector<const Node*> announced;
  try {
    announced = Hazards::announced();  // after all of them were removed
  } catch (const std::bad_alloc&) {
    for (std::size_t i = 0; i < neighbours.size(); ++i) give_back(neighbours[i], batches[i]);
    return;
  }
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    if (batches[i].empty()) continue;
    NodeStack read = split_read(batches[i], announced);
    const SpinGuard lock(neighbours[i].lock);
    neighbours[i].retired.push_all(read);
    neighbours[i].unread.push_all(batches[i]);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
