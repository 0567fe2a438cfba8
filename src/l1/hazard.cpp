#include "l1/hazard.hpp"

#include <cxxabi.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <thread>
#include <utility>

#include "base/mutex.hpp"
#include "base/sanitizers.hpp"
#include "l1/unbroken_run.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr bool kKernelBarrier = !DSTA_THREAD_SANITIZER;

bool membarrier(int command) { return syscall(__NR_membarrier, command, 0, 0) == 0; }

#if defined(__x86_64__)
/// A barrier on every processor of the process without membarrier: when a page that was written to becomes read-only,
/// the kernel interrupts all of them and waits until they have dropped it from their TLBs. As in folly,
/// https://github.com/facebook/folly/blob/main/folly/synchronization/AsymmetricThreadFence.cpp.
bool protect_page() {
  constexpr std::size_t kPage = 4096;
  static void* const page = ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static Mutex mutex;
  const MutexLock lock(mutex);
  if (page == MAP_FAILED || ::mprotect(page, kPage, PROT_READ | PROT_WRITE) != 0) return false;
  static_cast<volatile char*>(page)[0] = 1;
  return ::mprotect(page, kPage, PROT_READ) == 0;
}
#else
bool protect_page() { return false; }
#endif

/// False: no barrier ran. It worked when the program started; a sandbox may have forbidden it since.
bool kernel_barrier() {
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
  // A forked child may have to register again.
  const bool again =
      membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  return again || protect_page();
}

/// A record in the list of all of them, which is by index. The registry's mutex guards what it adds.
struct Listed : ThreadRecord {
  Listed* next = nullptr;
  bool free = false;
};

/// Every record there is. Never destroyed, since threads may outlive static objects.
class Registry {
 public:
  static Registry& instance() {
    alignas(Registry) static unsigned char memory[sizeof(Registry)];
    static auto* registry = new (memory) Registry;
    return *registry;
  }

  /// The one of the lowest index that no living thread has.
  Listed& take() noexcept {
    MutexLock lock(mutex_);
    for (;;) {
      if (Listed* const record = take_free()) return *record;
      if (auto* const made = new (std::nothrow) Listed) {
        add(*made);
        return *made;
      }
      if (std::exchange(spares_used_, true)) {
        // More threads at once than there are spares have come since memory ran out: one of them ends, or memory comes.
        lock.unlock();
        std::this_thread::yield();
        lock.lock();
        continue;
      }
      for (Listed& spare : spares_) {
        add(spare);
        give_back(spare);
      }
    }
  }
  void put_back(Listed& record) noexcept {
    const MutexLock lock(mutex_);
    give_back(record);
  }
  template <class Visit>
  void each(Visit visit) {
    const MutexLock lock(mutex_);
    for (Listed* record = first_; record; record = record->next) visit(*record);
  }

 private:
  Listed* take_free() noexcept DSTA_REQUIRES(mutex_) {
    while (lowest_free_ && !lowest_free_->free) lowest_free_ = lowest_free_->next;
    if (!lowest_free_) return nullptr;
    lowest_free_->free = false;
    return std::exchange(lowest_free_, lowest_free_->next);
  }
  void give_back(Listed& record) noexcept DSTA_REQUIRES(mutex_) {
    record.free = true;
    if (!lowest_free_ || record.index < lowest_free_->index) lowest_free_ = &record;
  }
  void add(Listed& record) noexcept DSTA_REQUIRES(mutex_) {
    record.index = count_++;
    *end_ = &record;
    end_ = &record.next;
  }

  Mutex mutex_;
  Listed* first_ DSTA_GUARDED_BY(mutex_) = nullptr;
  Listed** end_ DSTA_GUARDED_BY(mutex_) = &first_;
  Listed* lowest_free_ DSTA_GUARDED_BY(mutex_) = nullptr;  ///< none of a lower index is free
  std::uint32_t count_ DSTA_GUARDED_BY(mutex_) = 0;
  bool spares_used_ DSTA_GUARDED_BY(mutex_) = false;
  /// For threads that come when there is no memory for a record: a read must not fail.
  std::array<Listed, 64> spares_ DSTA_GUARDED_BY(mutex_);
};

/// When the thread ends.
void give_back(void* record) noexcept {
  own_record = nullptr;
  Registry::instance().put_back(*static_cast<Listed*>(record));
}

}  // namespace

constinit thread_local ThreadRecord* own_record = nullptr;

const bool Hazards::asymmetric_ = kKernelBarrier && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);

ThreadRecord& acquire_record() noexcept {
  Listed& record = Registry::instance().take();
  record.run = UnbrokenRun::of_this_thread();
  own_record = &record;
  // Not by a thread_local object: the destructor of one of the user's may read a cache when that has gone already. The
  // address is any of this library, which stays loaded until then.
  static char in_this_library;
  abi::__cxa_thread_atexit(give_back, &record, &in_this_library);
  return record;
}

std::optional<std::vector<const Node*>> Hazards::announced() {
  if (asymmetric_ && !kernel_barrier()) return std::nullopt;
  std::vector<const Node*> nodes;
  Registry::instance().each([&](ThreadRecord& record) {
    // Without the kernel's barrier a read-modify-write orders this look against the reader's exchange.
    const Node* node = nullptr;
    if (asymmetric_) {
      node = record.hazard.load(std::memory_order_acquire);
    } else {
      while (!record.hazard.compare_exchange_weak(node, node, std::memory_order_seq_cst)) {
      }
    }
    if (node) nodes.push_back(node);
  });
  std::ranges::sort(nodes);
  return nodes;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
