#include "l2/client/wake_word.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <ctime>
#include <thread>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Between two looks where the kernel, or what filters its calls, has no such futex.
constexpr std::chrono::microseconds kNap{100};

long futex(const std::atomic<std::uint32_t>& word, int operation, std::uint32_t value, const timespec* until,
           std::uint32_t bits) {
  return ::syscall(SYS_futex, &word, operation, value, until, nullptr, bits);
}

}  // namespace

bool WakeWord::sleep(std::uint32_t seen, std::uint32_t bits, TimePoint deadline) const {
  const auto since_epoch = std::chrono::duration_cast<Duration>(deadline.time_since_epoch()).count();
  // An absolute time on the monotonic clock: signals do not lengthen the wait.
  const timespec until{.tv_sec = static_cast<time_t>(since_epoch / 1'000'000'000),
                       .tv_nsec = static_cast<long>(since_epoch % 1'000'000'000)};
  if (futex(word_, FUTEX_WAIT_BITSET_PRIVATE, seen, &until, bits) == 0) return true;
  if (errno == ETIMEDOUT) return false;
  if (errno == EAGAIN || errno == EINTR) return true;
  const TimePoint now = std::chrono::steady_clock::now();
  if (now >= deadline) return false;
  std::this_thread::sleep_for(std::min<Duration>(kNap, deadline - now));
  return true;
}

void WakeWord::wake(std::uint32_t bits) {
  word_.fetch_add(1, std::memory_order_release);
  // Where it fails nobody sleeps in the kernel: see sleep().
  futex(word_, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, bits);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
