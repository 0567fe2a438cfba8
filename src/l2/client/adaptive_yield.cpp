#include "l2/client/adaptive_yield.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

// All in nanoseconds, for the atomics' sake.
constexpr std::int64_t kTooLong = 300'000;
/// Doubles with each yield that takes too long, and starts again after one that did not.
constexpr std::int64_t kLeastPause = 4'000'000, kMostPause = 256'000'000;

std::atomic<std::int64_t> paused_until{0};
std::atomic<std::int64_t> pause{kLeastPause};

std::int64_t now() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

bool yield_briefly() noexcept {
  const std::int64_t begun = now();
  if (begun < paused_until.load(std::memory_order_relaxed)) return false;
  ::sched_yield();
  const std::int64_t ended = now();
  const std::int64_t length = pause.load(std::memory_order_relaxed);
  if (ended - begun > kTooLong) {
    paused_until.store(ended + length, std::memory_order_relaxed);
    pause.store(std::min(2 * length, kMostPause), std::memory_order_relaxed);
  } else if (length != kLeastPause && ended > paused_until.load(std::memory_order_relaxed) + length) {
    pause.store(kLeastPause, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
