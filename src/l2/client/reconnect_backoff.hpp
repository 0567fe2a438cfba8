#pragma once
/// How often and how long a server that is away is tried.
#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <utility>

#include <dsta/cache/duration.hpp>

#include "base/saturating_add.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Connecting costs a server in trouble more than answering. So no more than two attempts are made in any second,
/// counted from the last request that was answered. One thread.
class AttemptLimit {
 public:
  static constexpr std::chrono::milliseconds kWindow{1000};

  /// From when on one more may be made.
  TimePoint next() const { return saturating_add(attempts_[0], kWindow); }
  void note(TimePoint now) { attempts_ = {attempts_[1], now}; }
  TimePoint last() const { return attempts_[1]; }
  void forget() { attempts_ = {}; }
  bool any() const { return attempts_[1] != TimePoint{}; }

 private:
  std::array<TimePoint, 2> attempts_{};
};

/// How long to wait from one probe's beginning to the next one's: at random (full jitter), so that a fleet does not
/// come back as one, between the least and a bound that grows with every probe. One thread.
///
/// The bound stays below 0.9 s, far less than back-offs usually reach, because of a promise: the first request succeeds
/// within a second of the server's return. A server that comes back just after a probe is noticed by the next one, and
/// connecting and logging in then have a tenth of a second left. The load of such probes is bounded all the same: they
/// are made one at a time, two a second at most, by one thread a process.
class ProbePauses {
 public:
  static constexpr std::chrono::milliseconds kLeast{500}, kMost{850}, kFirstSpread{90};

  template <class Generator>
  Duration next(Generator& random) {
    const Duration spread = std::exchange(spread_, std::min<Duration>(2 * spread_, kMost - kLeast));
    std::uniform_int_distribution<Duration::rep> drawn(0, spread.count());
    return kLeast + Duration(drawn(random));
  }
  void reset() { spread_ = kFirstSpread; }

 private:
  Duration spread_ = kFirstSpread;
};

/// How long one probe may take. One thread.
///
/// Trap: a probe whose packets are lost is waited for in vain, and the server may come back meanwhile. So it gets no
/// longer than the pauses between probes, or four times what connecting took when it worked. Only where that was never
/// seen, and in every eighth probe in case the network has become slower, it gets the whole connect_timeout.
class ProbePatience {
 public:
  void connected_in(Duration time) { usual_ = std::max(time, usual_ - usual_ / 8); }
  Duration next(Duration connect_timeout) {
    if (usual_ == Duration::zero() || ++probes_ % 8 == 0) return connect_timeout;
    return std::min<Duration>(connect_timeout, std::max<Duration>(ProbePauses::kMost, 4 * usual_));
  }

 private:
  Duration usual_{};
  unsigned probes_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
