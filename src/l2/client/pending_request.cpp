#include "l2/client/pending_request.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <ctime>

#include "l2/client/adaptive_yield.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// A waiter yields before it sleeps: most replies come while it does, which saves a wake-up.
constexpr int kYields = 16;

}  // namespace

void PendingRequest::signal(Status signalled) {
  assert(signalled == Status::take_role || signalled == Status::complete);
  // Once the caller has seen `complete` the request may be gone, so only the address is used from here on: at worst the
  // wake-up is for something else that lives there now, and every waiter looks again after waking.
  std::atomic<Status>* const word = &status_;
  const Status before = word->exchange(signalled, std::memory_order_acq_rel);
  assert(before != Status::complete);
  if (before == Status::asleep) ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

PendingRequest::Status PendingRequest::await(TimePoint deadline) {
  for (int i = 0; i < kYields; ++i) {
    if (const Status seen = status(); seen != Status::waiting) return seen;
    if (!yield_briefly()) break;
  }
  const auto since_epoch = std::chrono::duration_cast<Duration>(deadline.time_since_epoch()).count();
  const timespec until{.tv_sec = static_cast<time_t>(since_epoch / 1'000'000'000),
                       .tv_nsec = static_cast<long>(since_epoch % 1'000'000'000)};
  for (;;) {
    Status seen = Status::waiting;
    if (!status_.compare_exchange_strong(seen, Status::asleep, std::memory_order_acq_rel) && seen != Status::asleep) {
      return seen;
    }
    // An absolute time on the monotonic clock: signals do not lengthen the wait.
    const long woken = ::syscall(SYS_futex, &status_, FUTEX_WAIT_BITSET_PRIVATE,
                                 static_cast<std::uint32_t>(Status::asleep), &until, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (woken == -1 && errno == ETIMEDOUT) {
      seen = Status::asleep;
      if (status_.compare_exchange_strong(seen, Status::waiting, std::memory_order_acq_rel)) return Status::waiting;
      return seen;
    }
  }
}

void PendingRequest::note_role() {
  Status seen = Status::take_role;
  status_.compare_exchange_strong(seen, Status::waiting, std::memory_order_acq_rel);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
