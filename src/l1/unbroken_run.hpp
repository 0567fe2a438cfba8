#pragma once
#include <cstdint>

#include <dsta/cache/detail/thread_record.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether the calling thread has run without a break since it began: was not preempted, stopped, or moved.
/// Where it has, the process was not stopped in between, so a time that another thread writes down is no older than
/// usual.
///
/// Idea: the kernel clears the `rseq_cs` pointer of a thread that it takes off its processor outside of a restartable
/// sequence (rseq(2), Linux 4.18). So the thread points it at a sequence that no instruction belongs to, and looks
/// whether it still does. One load and one comparison, where asking the kernel's clock costs some 5 ns.
///
/// The trap: the kernel reads the descriptor when it clears the pointer, and kills a process whose signature is not the
/// one that was registered. Other users of rseq overwrite the pointer, which only looks like a break; they set it again
/// for each sequence of their own, so they lose nothing. Without rseq (glibc before 2.35, valgrind) every run is
/// broken.
class UnbrokenRun {
 public:
  /// For ThreadRecord::run of the calling thread.
  static std::uint64_t* of_this_thread() noexcept;

  /// Since `begin`.
  static bool goes_on(const ThreadRecord& record) noexcept {
    return record.run && __atomic_load_n(record.run, __ATOMIC_RELAXED) == mark();
  }
  static void begin(const ThreadRecord& record) noexcept;
  static void end(const ThreadRecord& record) noexcept;

 private:
  static std::uint64_t mark() noexcept { return reinterpret_cast<std::uint64_t>(&kNowhere); }

  /// As the kernel reads it.
  struct alignas(32) Descriptor {
    std::uint32_t version, flags;
    const void* start;
    std::uint64_t length;
    const void* abort;
  };
  struct Signature {
    std::uint32_t signature, after;
  };
  static const Signature kSignature;
  static const Descriptor kNowhere;  // initialized before any code runs: an empty one would be fatal
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
