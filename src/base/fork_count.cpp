#include "base/fork_count.hpp"

#include <pthread.h>

#include <atomic>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
std::atomic<std::uint32_t> forks{0};
}

std::uint32_t fork_count() noexcept {
  static const int watched = ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(watched);
  return forks.load(std::memory_order_relaxed);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
