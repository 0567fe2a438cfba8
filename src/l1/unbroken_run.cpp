#include "l1/unbroken_run.hpp"

#if __has_include(<sys/rseq.h>) && (defined(__x86_64__) || defined(__aarch64__))
#include <sys/rseq.h>
#define DSTA_CACHE_HAS_RSEQ
#endif

namespace dsta::cache {
inline namespace v1 {
namespace detail {

#ifdef DSTA_CACHE_HAS_RSEQ
constinit const UnbrokenRun::Signature UnbrokenRun::kSignature{RSEQ_SIG, 0};
#else
constinit const UnbrokenRun::Signature UnbrokenRun::kSignature{0, 0};
#endif
// One byte of data, where no thread ever is; the kernel looks for the signature before the address to go on at.
constinit const UnbrokenRun::Descriptor UnbrokenRun::kNowhere{0, 0, &kSignature.signature, 1, &kSignature.after};

std::uint64_t* UnbrokenRun::of_this_thread() noexcept {
#ifdef DSTA_CACHE_HAS_RSEQ
  if (__rseq_size == 0) return nullptr;
#ifdef __x86_64__
  std::uintptr_t thread;
  __asm__("mov %%fs:0, %0" : "=r"(thread));
#else
  const auto thread = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
#endif
  auto* const mine = reinterpret_cast<struct rseq*>(thread + static_cast<std::uintptr_t>(__rseq_offset));
  return reinterpret_cast<std::uint64_t*>(&mine->rseq_cs);
#else
  return nullptr;
#endif
}

void UnbrokenRun::begin(const ThreadRecord& record) noexcept {
  if (!record.run) return;
  __atomic_store_n(record.run, mark(), __ATOMIC_RELAXED);
  // What is read from here on is read after the pointer was set.
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void UnbrokenRun::end(const ThreadRecord& record) noexcept {
  if (record.run) __atomic_store_n(record.run, std::uint64_t{0}, __ATOMIC_RELAXED);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
