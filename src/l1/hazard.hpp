#pragma once
#include <atomic>
#include <optional>
#include <vector>

#include <dsta/cache/detail/node.hpp>
#include <dsta/cache/detail/thread_record.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Hazard pointers: a reader announces the one entry it is reading, and a thread that removed that entry frees it only
/// when no reader announces it. So reading takes no lock, and a reader that is stopped in the middle holds back one
/// entry, not all that are removed until it goes on.
///
/// Invariants:
///  - a thread reads at most one entry at a time: its record has one hazard pointer;
///  - an entry is removed from the table before announced() is called for it, so no later reader finds it;
///  - a reader that finds its slot unchanged after announcing has announced before any such call that misses it.
///
/// The trap is order, for the third: the announcement must be visible before the reader looks whether the entry is
/// still there. A fence there would cost as much as the lock. Instead the rare side pays: before it looks at the
/// announcements it has the kernel run a barrier on every processor of the process (membarrier), and the reader needs
/// only to keep the compiler from reordering. Where the kernel has none, and under ThreadSanitizer, which does not know
/// of it, the reader pays. A program that enters a sandbox without membarrier pays with a more expensive barrier.
///
/// After Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", IEEE TPDS 15(6), 2004,
/// https://doi.org/10.1109/TPDS.2004.8; the asymmetric barrier as in folly's Hazptr,
/// https://github.com/facebook/folly/blob/main/folly/synchronization/Hazptr.h.
class Hazards {
 public:
  /// Announces the entry that `slot` holds, if it still holds `word` afterwards.
  static bool protect(ThreadRecord& record, const Node* node, const std::atomic<std::uint64_t>& slot,
                      std::uint64_t word) noexcept {
    if (asymmetric_) [[likely]] {
      record.hazard.store(node, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
      return slot.load(std::memory_order_acquire) == word;
    }
    record.hazard.exchange(node, std::memory_order_seq_cst);
    return slot.load(std::memory_order_seq_cst) == word;
  }
  static void release(ThreadRecord& record) noexcept { record.hazard.store(nullptr, std::memory_order_release); }
  /// Releases at its end, also when what reads the entry throws.
  class Release {
   public:
    explicit Release(ThreadRecord& record) noexcept : record_(record) {}
    ~Release() { release(record_); }
    Release(const Release&) = delete;
    Release& operator=(const Release&) = delete;

   private:
    ThreadRecord& record_;
  };

  /// Every entry announced now, sorted. Entries unlinked before the call and not among them may be freed. Nothing: it
  /// is not known, since the system runs no barrier any more, and none may be freed. Throws std::bad_alloc.
  static std::optional<std::vector<const Node*>> announced();

 private:
  static const bool asymmetric_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
