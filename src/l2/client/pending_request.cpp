#include "l2/client/pending_request.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "l2/client/adaptive_yield.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Before it sleeps a waiter lets others run: most replies come while it does, and then nobody has to be woken.
constexpr int kYields = 16;

}  // namespace

void PendingRequest::tell(News news) {
  // Once the caller has seen this it may be gone, so only the address is used from here on: at worst the wake is for
  // something else that lives there now, and every waiter looks again after waking.
  std::atomic<News>* const word = &news_;
  if (word->exchange(news, std::memory_order_acq_rel) == News::asleep) {
    ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

PendingRequest::News PendingRequest::await(TimePoint deadline) {
  for (int i = 0; i < kYields; ++i) {
    if (const News seen = news(); seen != News::none) return seen;
    if (!yield_briefly()) break;
  }
  const auto since_epoch = std::chrono::duration_cast<Duration>(deadline.time_since_epoch()).count();
  const timespec until{.tv_sec = static_cast<time_t>(since_epoch / 1'000'000'000),
                       .tv_nsec = static_cast<long>(since_epoch % 1'000'000'000)};
  for (;;) {
    News seen = News::none;
    if (!news_.compare_exchange_strong(seen, News::asleep, std::memory_order_acq_rel) && seen != News::asleep) {
      return seen;
    }
    // An absolute time on the monotonic clock: signals do not lengthen the wait.
    const long woken = ::syscall(SYS_futex, &news_, FUTEX_WAIT_BITSET_PRIVATE, static_cast<std::uint32_t>(News::asleep),
                                 &until, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (woken == -1 && errno == ETIMEDOUT) {
      seen = News::asleep;
      if (news_.compare_exchange_strong(seen, News::none, std::memory_order_acq_rel)) return News::none;
      return seen;
    }
  }
}

void PendingRequest::led() {
  News seen = News::lead;
  news_.compare_exchange_strong(seen, News::none, std::memory_order_acq_rel);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
