#pragma once
#include <atomic>
#include <cstdint>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The time for the hit path. While hits come by the ten thousand, asking the clock is a fifth of their cost; so a
/// thread (the ticker) then writes the coarse clock's time into a word every millisecond and a hit only loads it. As
/// nginx does once per round of its event loop: https://nginx.org/en/docs/dev/development_guide.html#time.
///
/// Invariants:
///  - the word is 0, and readers ask the clock, unless a ticker runs; only the ticker writes another value;
///  - ticks never go back, since they are times of one monotonic clock;
///  - a tick is late at most once by the delay that made it late. So now() may go back, by that delay and only when a
///    ticker starts: its first tick may be older than what a reader got from the clock just before.
///
/// The trap is a ticker that gets no processor: time would stand still. It switches itself off when it finds that it
/// came late (a crowded machine, a stopped process), and after a second in any case, to be started again only by busy
/// readers. So an idle program has no wake-ups, and a forked child, which has no ticker, reads the clock.
class CachedClock {
 public:
  static TimePoint now() noexcept {
    const std::int64_t tick = tick_.load(std::memory_order_relaxed);
    return tick != 0 ? TimePoint(Duration(tick)) : read_clock();
  }
  /// The clock's own time, for a thread that may have been stopped together with the ticker. `ticks`: the last tick is
  /// recent, so that now() does again for as long as the thread runs on.
  static TimePoint now_after_break(bool& ticks) noexcept;

 private:
  friend class Ticker;
  static TimePoint read_clock() noexcept;

  /// Nanoseconds of the monotonic clock; 0 while no ticker runs.
  static constinit std::atomic<std::int64_t> tick_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
