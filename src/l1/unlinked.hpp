#pragma once
#include <cstddef>

#include "l1/node_stack.hpp"
#include "l1/shard.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What an operation takes out of a shard. Declared before the lock is taken, so that entries are freed after it is
/// released: their destructors are user code.
///
/// Whether somebody still reads an entry is looked up for a batch at once, since that takes a barrier on every
/// processor: when one shard has enough of them, for what its neighbours removed, too. But the batch is then freed a
/// little with each operation, not at once: an allocator gives a thread that frees as it allocates its own memory back,
/// while bursts go to the arenas of the threads that once allocated, which then fill with holes.
class Unlinked {
 public:
  explicit Unlinked(Shard& shard) : shard_(shard) {}
  Unlinked(const Unlinked&) = delete;
  Unlinked& operator=(const Unlinked&) = delete;
  ~Unlinked() {
    if (free_all_) {
      look_who_reads(shard_);
    } else if (due_) {
      look_who_reads_together();
    }
    DeferDestruction::take(freed_);
  }

  /// Under the shard's lock.
  void take(Node* node) {
    shard_.lock.assert_held();
    shard_.retired.push(node);
    free_some(freed_.weight() + node->weight);
  }
  /// Frees at the end, of what was removed earlier, at least as much as weighs `weight` in all; more only to catch up.
  /// Under the shard's lock.
  void free_some(std::size_t weight) {
    shard_.lock.assert_held();
    due_ = due_ || has_batch(shard_);
    if (shard_.unread.weight() > 2 * shard_.reserve) weight *= 2;
    while (freed_.weight() < weight && !shard_.unread.empty()) freed_.push(shard_.unread.pop());
  }
  /// Frees at the end all that can be.
  void free_all() { free_all_ = true; }

 private:
  /// So few that they are still in the processor's cache when they are freed.
  static constexpr std::size_t kBatch = 64;
  static bool has_batch(const Shard& shard) DSTA_REQUIRES(shard.lock) {
    if (!shard.unread.empty()) return false;  // each write frees of those what it adds
    const std::size_t count = shard.retired.count() - shard.read_count;
    return count >= kBatch || (count != 0 && shard.retired.whole_weight() - shard.read_weight >= shard.reserve);
  }
  /// Of this shard, and frees what nobody reads.
  void look_who_reads(Shard& shard) DSTA_EXCLUDES(shard.lock);
  /// Of this shard and others. Nothing where another thread was faster.
  void look_who_reads_together() DSTA_EXCLUDES(shard_.lock);

  Shard& shard_;
  bool due_ = false;
  bool free_all_ = false;
  NodeStack freed_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
