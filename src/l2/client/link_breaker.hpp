#pragma once
#include <atomic>
#include <cstdint>
#include <string_view>

#include "l2/client/breaker.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a link's breaker shows to those who do not hold the link's mutex.
struct BreakerSignals {
  std::atomic<std::uint64_t>& changes;  ///< counts each opening and each closing
  /// A failure or an attempt was noted that a success puts right. Without it a success takes no lock.
  std::atomic<bool>& awaits_success;
};

/// A circuit breaker of a link, with the reason that refused requests are given. Under the link's mutex.
class LinkBreaker : public Breaker {
 public:
  /// `why`: the reason until something has failed.
  LinkBreaker(Duration deadline, BreakerSignals signals, std::string_view why)
      : Breaker(deadline), signals_(signals), why_(why) {}

  void await_success() { signals_.awaits_success.store(true, std::memory_order_relaxed); }

  /// The reason of the last failure; a kept reason.
  std::string_view why() const { return why_; }
  /// A failure that does not count, since nothing was asked of the server.
  void set_why(std::string_view why) { why_ = why; }

  /// These do what the breaker's own do. `let_through`: the half-open breaker let this request through; it is over now.
  bool succeeded(bool& let_through) {
    if (is_open()) return false;  // the request began before
    let_through = false;
    signals_.awaits_success.store(false, std::memory_order_relaxed);
    return counted(Breaker::succeeded());
  }
  bool failed(TimePoint now, std::string_view why, bool& let_through) {
    why_ = why;
    return counted(Breaker::failed(now, over(let_through)));
  }
  bool refused(std::string_view why, bool& let_through) {
    why_ = why;
    return counted(Breaker::refused(over(let_through)));
  }
  bool open(bool probe_closes) { return counted(Breaker::open(probe_closes)); }
  bool probe_succeeded() { return counted(Breaker::probe_succeeded()); }

 private:
  static bool over(bool& let_through) {
    const bool was = let_through;
    let_through = false;
    return was;
  }
  bool counted(bool change) {
    if (change) signals_.changes.fetch_add(1, std::memory_order_relaxed);
    return change;
  }

  const BreakerSignals signals_;
  std::string_view why_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
