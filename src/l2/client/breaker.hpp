#pragma once
#include <cassert>
#include <cstdint>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Circuit breaker: decides when a server that does not do its work is left alone. Pure logic: times are handed in. One
/// thread at a time.
///
/// Idea: a request to a server that will not answer waits its whole deadline, and so do all after it. So after
/// kFailures failures without one success between them the breaker opens, and requests are refused at once. A probe (a
/// connection with its handshake) says when the server is there again. When requests failed although the server was
/// there (it answers PING and lets the rest time out), a probe proves nothing: then one request at a time is let
/// through, until one succeeds.
///
/// Phases:
///
///     from       to         when
///     closed     open       kFailures failures in a row, or connecting failed
///     open       closed     a probe succeeded, and it was connecting that had failed
///     open       half_open  a probe succeeded, and it was requests that had failed
///     half_open  testing    a request was let through
///     half_open  open       connecting failed
///     half_open  closed     a request that began before succeeded
///     testing    half_open  the request ended without an outcome
///     testing    open       the request failed, or connecting did
///     testing    closed     a request succeeded
///
/// Trap: failures come in bursts. Sixty-four requests on a connection that dies are one failure, not sixty-four; and
/// those of them that ask again on the next connection have little time left, so it dies soon after, and proves nothing
/// more. So a failure within half a deadline of the last one that counted belongs to the same stall. Three failures
/// therefore mean that nothing worked for at least a whole deadline.
class Breaker {
 public:
  enum class Phase : std::uint8_t { closed, open, half_open, testing };
  static constexpr int kFailures = 3;

  explicit Breaker(Duration deadline) : same_stall_(deadline / 2) {}

  Phase phase() const { return phase_; }
  bool is_open() const { return phase_ == Phase::open; }
  /// A request that came now would be refused.
  bool refuses() const { return phase_ == Phase::open || phase_ == Phase::testing; }
  /// Requests failed although connecting works: none may go but the one that is let through, whatever connections there
  /// are.
  bool holds_back() const { return phase_ != Phase::closed && !probe_closes_; }

  /// Half-open: true for the one request that is let through. It ends in `succeeded`, `failed`, `refused` or `give_up`.
  bool let_through() {
    if (phase_ != Phase::half_open) return false;
    move_to(Phase::testing);
    return true;
  }
  /// That request ended without an outcome: the next one is let through.
  void give_up() {
    if (phase_ == Phase::testing) move_to(Phase::half_open);
  }

  /// A request was answered. True: that closed the breaker.
  bool succeeded() {
    if (is_open()) return false;  // it began before; the probes decide
    failures_ = 0;
    return close();
  }
  /// A request failed; `half_open_request`: it was the one let through. True: that opened the breaker.
  bool failed(TimePoint now, bool half_open_request) {
    if (phase_ == Phase::closed && failures_ != 0 && now - counted_ < same_stall_) return false;
    counted_ = now;
    return refused(half_open_request);
  }
  /// The server said that it serves nobody now. That costs no time, so each time counts. True: that opened the breaker.
  bool refused(bool half_open_request) {
    if (is_open()) return false;
    if (phase_ != Phase::closed) return half_open_request && open(false);
    return ++failures_ >= kFailures && open(false);
  }
  /// `probe_closes`: what failed is what a probe does, so a probe that succeeds closes the breaker. True: it was not
  /// open.
  bool open(bool probe_closes) {
    const bool half_open = phase_ == Phase::half_open || phase_ == Phase::testing;
    if (!half_open) probe_closes_ = probe_closes;
    if (is_open()) return false;
    move_to(Phase::open);
    return true;
  }
  /// A probe succeeded. True: that closed the breaker.
  bool probe_succeeded() {
    if (!is_open()) return false;
    if (probe_closes_) return close();
    move_to(Phase::half_open);
    return false;
  }

  /// The table above.
  static constexpr bool is_transition(Phase from, Phase to) {
    switch (from) {
      case Phase::closed:
        return to == Phase::open;
      case Phase::open:
        return to == Phase::closed || to == Phase::half_open;
      case Phase::half_open:
      case Phase::testing:
        return to != from;
    }
    return false;
  }

 private:
  void move_to(Phase to) {
    assert(is_transition(phase_, to));
    phase_ = to;
  }
  bool close() {
    failures_ = 0;
    if (phase_ == Phase::closed) return false;
    move_to(Phase::closed);
    return true;
  }

  const Duration same_stall_;
  Phase phase_ = Phase::closed;
  int failures_ = 0;
  TimePoint counted_{};
  bool probe_closes_ = true;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
