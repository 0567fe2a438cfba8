#include "l1/unlinked.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "l1/hazard.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// At most so many of those that wait for a look.
NodeStack take_retired(Shard& shard, std::size_t most) {
  const SpinGuard lock(shard.lock);
  if (!shard.retired.empty()) ++shard.looking;
  shard.read_count = shard.read_weight = 0;
  return shard.retired.pop_some(most);
}

/// After `take_retired`, if it took any: what is still read, and what is not.
void give_back(Shard& shard, NodeStack& read, NodeStack& unread, NodeStack& freed) {
  const SpinGuard lock(shard.lock);
  shard.read_count = read.count();
  shard.read_weight = read.whole_weight();
  shard.retired.push_all(read);
  shard.unread.push_all(unread);
  if (shard.free_when_looked) freed.push_all(shard.unread);
  if (--shard.looking == 0) shard.free_when_looked = false;
}

/// Nothing also without memory: the next one looks again. This runs in destructors.
std::optional<std::vector<const Node*>> announced_or_unknown() noexcept {
  try {
    return Hazards::announced();
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

/// Splits off those that somebody reads, or may read where that is not known.
NodeStack split_read(NodeStack& batch, const std::optional<std::vector<const Node*>>& announced) {
  NodeStack read, unread;
  if (!announced) batch.swap(read);
  if (!announced || announced->empty()) return read;
  while (!batch.empty()) {
    Node* node = batch.pop();
    (std::ranges::binary_search(*announced, node) ? read : unread).push(node);
  }
  batch = std::move(unread);
  return read;
}

}  // namespace

void Unlinked::look_who_reads(Shard& shard) {
  NodeStack batch = take_retired(shard, std::numeric_limits<std::size_t>::max());
  if (!batch.empty()) {
    NodeStack read = split_read(batch, announced_or_unknown());
    give_back(shard, read, batch, freed_);
  }
  const SpinGuard lock(shard.lock);
  freed_.push_all(shard.unread);
  shard.free_when_looked = shard.looking != 0;
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
  // Where all entries were removed at once there are more than one write should look at: the sweep comes for them.
  for (std::size_t i = 0; i < neighbours.size(); ++i) batches[i] = take_retired(neighbours[i], 2 * kBatch);
  const auto announced = announced_or_unknown();  // after all of them were removed
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    if (batches[i].empty()) continue;
    const bool heavy = batches[i].count() < kBatch && batches[i].weight() > 2 * neighbours[i].reserve;
    NodeStack read = split_read(batches[i], announced);
    if (heavy) freed_.push_all(batches[i]);
    give_back(neighbours[i], read, batches[i], freed_);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
