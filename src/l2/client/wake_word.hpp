#pragma once
#include <atomic>
#include <cstdint>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A futex word that up to 32 callers of a connection share, each with a bit of its own, so that one system call wakes
/// just those whose replies have come. Thread-safe.
///
/// Idea: the kernel compares a waiter's bits with those of a wake-up (FUTEX_WAIT_BITSET). Where each caller sleeps on a
/// word of its own, a read that brings 30 replies costs 30 calls.
///
/// No wake-up is lost:
/// 1. A caller reads `changes()`, then says in a status of its own that it sleeps, or sees there that it still does,
///    and then sleeps as long as the word is what it read.
/// 2. Who wakes it changes the status first, and the word if the status said that the caller sleeps.
/// 3. So the word changes after the caller has read it: the caller does not fall asleep, or is woken.
///
/// Trap: callers may share a bit, and a change of the word keeps others from falling asleep. So whoever comes back
/// looks at its status, and begins again.
class WakeWord {
 public:
  std::uint32_t changes() const { return word_.load(std::memory_order_acquire); }

  /// Sleeps until woken with one of `bits`, and not beyond `deadline` (steady clock), as long as the word is `seen`.
  /// False: the deadline is past. May return earlier.
  bool sleep(std::uint32_t seen, std::uint32_t bits, TimePoint deadline) const;
  /// Wakes those that sleep with one of `bits`.
  void wake(std::uint32_t bits);

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
