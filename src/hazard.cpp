#include "hazard.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>
#include <mutex>
#include <queue>

#include "unbroken_run.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kKernelBarrier = false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kKernelBarrier = false;
#else
constexpr bool kKernelBarrier = true;
#endif
#else
constexpr bool kKernelBarrier = true;
#endif

bool membarrier(int command) { return syscall(__NR_membarrier, command, 0, 0) == 0; }

/// Every record there is. Never destroyed: threads may outlive static objects.
struct Registry {
  std::mutex mutex;
  // Under mutex.
  std::deque<ThreadRecord> records;
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> free;
};

Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

/// Gives a thread's record back when the thread ends.
struct Lease {
  ThreadRecord* record = nullptr;
  ~Lease() {
    if (!record) return;
    own_record = nullptr;
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    all.free.push(record->index);
  }
};

}  // namespace

constinit thread_local ThreadRecord* own_record = nullptr;

const bool Hazards::asymmetric_ = kKernelBarrier && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);

ThreadRecord& acquire_record() noexcept {
  thread_local Lease lease;
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (all.free.empty()) {
    own_record = &all.records.emplace_back();
    own_record->index = static_cast<std::uint32_t>(all.records.size() - 1);
  } else {
    own_record = &all.records[all.free.top()];
    all.free.pop();
  }
  own_record->run = UnbrokenRun::of_this_thread();
  lease.record = own_record;
  return *own_record;
}

std::vector<const Node*> Hazards::announced() {
  if (asymmetric_ && !membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) && errno == EPERM) {
    // A forked child may have to register anew.
    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  }
  std::vector<const Node*> nodes;
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (ThreadRecord& record : all.records) {
    // Without the kernel's barrier a read-modify-write orders this look against the reader's exchange.
    const Node* node = nullptr;
    if (asymmetric_) {
      node = record.hazard.load(std::memory_order_acquire);
    } else {
      while (!record.hazard.compare_exchange_weak(node, node, std::memory_order_seq_cst)) {
      }
    }
    if (node) nodes.push_back(node);
  }
  std::ranges::sort(nodes);
  return nodes;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
