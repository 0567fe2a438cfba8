/// Every allocation of the process goes through here, and may be made to fail.
#include "allocations.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace dsta::cache::testing_support {

namespace {

enum class Armed : int { no, here, library };

constinit std::atomic<Armed> armed{Armed::no};
constinit std::atomic<long> count{0}, fails_at{0}, live{0};
constinit std::atomic<bool> lasting{false};
constinit thread_local bool is_meant = false;
constinit thread_local bool is_library = false;
constinit thread_local std::size_t asked = 0;

/// A thread of the library has its name before it does anything else.
bool on_library_thread() {
  if (is_library) return true;
  char name[16] = {};
  ::pthread_getname_np(::pthread_self(), name, sizeof name);
  return is_library = std::strncmp(name, "dsta-", 5) == 0;
}

bool fails() {
  const Armed whose = armed.load(std::memory_order_acquire);
  if (whose == Armed::no || (whose == Armed::here ? !is_meant : !on_library_thread())) return false;
  const long number = count.fetch_add(1) + 1, at = fails_at.load();
  return at != 0 && (lasting ? number >= at : number == at);
}

void* allocate(std::size_t size, std::size_t alignment) {
  if (fails()) throw std::bad_alloc();
  if (size == 0) size = 1;
  void* const block = alignment <= alignof(std::max_align_t)
                          ? std::malloc(size)
                          : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!block) throw std::bad_alloc();
  live.fetch_add(1, std::memory_order_relaxed);
  asked += size;
  return block;
}

void release(void* block) {
  if (!block) return;
  live.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

Shortage::Shortage(Where where, long at, Lasts lasts) {
  count = 0;
  fails_at = at;
  lasting = lasts == Lasts::on;
  is_meant = where == Where::here;
  armed = where == Where::here ? Armed::here : Armed::library;
}

long Shortage::end() {
  armed = Armed::no;
  is_meant = false;
  return count;
}

long Shortage::made() { return count; }

long live_blocks() { return live.load(); }

std::size_t asked_bytes() { return asked; }

}  // namespace dsta::cache::testing_support

namespace support = dsta::cache::testing_support;

void* operator new(std::size_t size) { return support::allocate(size, 1); }
void* operator new[](std::size_t size) { return support::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return support::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return support::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { support::release(block); }
void operator delete[](void* block) noexcept { support::release(block); }
void operator delete(void* block, std::size_t) noexcept { support::release(block); }
void operator delete[](void* block, std::size_t) noexcept { support::release(block); }
void operator delete(void* block, std::align_val_t) noexcept { support::release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { support::release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { support::release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { support::release(block); }
