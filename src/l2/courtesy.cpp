#include "courtesy.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kTooLong{300};
/// Doubles with each yield that takes too long, and starts again after one that did not.
constexpr std::chrono::milliseconds kLeastPause{4}, kMostPause{256};

std::atomic<std::int64_t> paused_until{0};
std::atomic<std::int64_t> pause{std::chrono::nanoseconds(kLeastPause).count()};

std::int64_t now() { return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count(); }

}  // namespace

bool yield_briefly() noexcept {
  const std::int64_t begun = now();
  if (begun < paused_until.load(std::memory_order_relaxed)) return false;
  ::sched_yield();
  const std::int64_t ended = now();
  const std::int64_t length = pause.load(std::memory_order_relaxed);
  if (ended - begun > std::chrono::nanoseconds(kTooLong).count()) {
    paused_until.store(ended + length, std::memory_order_relaxed);
    pause.store(std::min(2 * length, std::int64_t{std::chrono::nanoseconds(kMostPause).count()}),
                std::memory_order_relaxed);
  } else if (length != std::chrono::nanoseconds(kLeastPause).count() &&
             ended > paused_until.load(std::memory_order_relaxed) + length) {
    pause.store(std::chrono::nanoseconds(kLeastPause).count(), std::memory_order_relaxed);
  }
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
