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
/// processor. But the batch is then freed a little with each operation, not at once: an allocator gives a thread that
/// frees as it allocates its own memory back, while bursts go to the arenas of the threads that once allocated, which
/// then fill with holes.
class Unlinked {
 public:
  explicit Unlinked(Shard& shard) : shard_(shard) {}
  Unlinked(const Unlinked&) = delete;
  Unlinked& operator=(const Unlinked&) = delete;
  ~Unlinked() {
    if (due_) look_who_reads();
    DeferDestruction::take(freed_);
  }

  /// Under the shard's lock.
  void take(Node* node) {
    shard_.lock.assert_held();
    shard_.retired.push(node);
    due_ = due_ || shard_.retired.count() >= kBatch || shard_.retired.whole_weight() >= shard_.max_bytes / 64;
    // One for one keeps step with what comes in; more only to catch up.
    for (int n = shard_.unread.count() > 2 * kBatch ? 2 : 1; n > 0 && !shard_.unread.empty(); --n) {
      freed_.push(shard_.unread.pop());
    }
  }
  /// Frees at the end all that can be.
  void free_all() { due_ = free_all_ = true; }

 private:
  static constexpr std::size_t kBatch = 64;
  void look_who_reads() DSTA_EXCLUDES(shard_.lock);

  Shard& shard_;
  bool due_ = false;
  bool free_all_ = false;
  NodeStack freed_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
