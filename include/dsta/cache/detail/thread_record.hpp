#pragma once
#include <atomic>
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Node;

/// What the library keeps for each thread that uses it. Handed on to another thread when its own ends; never freed.
struct alignas(64) ThreadRecord {
  /// The entry this thread is reading without a lock: nobody may free it (see hazard.hpp).
  std::atomic<const Node*> hazard{nullptr};
  /// Where in a hash table it found an entry last. May be gone: followed only where it lies in the bucket that is
  /// looked at (see table.hpp).
  const std::atomic<std::uint64_t>* last_slot = nullptr;
  /// Small and dense: no two living threads share one.
  std::uint32_t index = 0;
  /// What the kernel clears when the thread leaves its processor; null where it does not (see unbroken_run.hpp).
  std::uint64_t* run = nullptr;
};

/// Defined in the library, so that plug-ins that hide their symbols have no second one.
extern constinit thread_local ThreadRecord* own_record;
ThreadRecord& acquire_record() noexcept;

inline ThreadRecord& thread_record() noexcept {
  ThreadRecord* record = own_record;
  return record ? *record : acquire_record();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
