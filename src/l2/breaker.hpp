#pragma once
#include <cstdint>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Decides when a server that does not do its work is left alone. Pure logic: times and chance are handed in. One
/// thread.
///
/// Idea: who waits for a server that will not answer waits his whole deadline, and so do all after him. So after
/// kFailures failures without one success between them the breaker opens, and requests are refused at once. A probe
/// says when the server is there again. When requests failed although the server was there (it answers PING and lets
/// the rest time out), the answer to a probe proves nothing: then one request at a time is let through, on trial, until
/// one succeeds. A failed trial opens the breaker again.
///
/// Trap: failures come in bursts. Sixty-four requests on a connection that dies are one failure, not sixty-four, and
/// so are four connections that die of the same stall: a failure counts only when its connection was made after the
/// last one that counted. Three failures are therefore three connections, one after the other, on which nothing worked.
class Breaker {
 public:
  enum class State : std::uint8_t { closed, open, trial };
  static constexpr int kFailures = 3;

  State state() const { return state_; }
  /// No request can be under way now that would not be refused if it came a moment later.
  bool refuses() const { return state_ == State::open || (state_ == State::trial && trying_); }

  /// For a request, while the breaker is on trial: true when it is the one that tries. It ends in `succeeded`,
  /// `failed` or `give_back`.
  bool begin_trial() { return state_ == State::trial && !std::exchange(trying_, true); }
  void give_back() { trying_ = false; }

  /// A request was answered. True: that closed the breaker.
  bool succeeded() {
    if (state_ == State::open) return false;  // from before; the probes decide
    failures_ = 0;
    return close();
  }
  /// A request failed on connection number `made` (they are counted up), or the server told it to go away (0). True:
  /// that opened the breaker.
  bool failed(std::uint64_t made, std::uint64_t made_last, bool on_trial) {
    if (state_ == State::open) return false;
    if (state_ == State::trial) return on_trial && open(false);
    if (made != 0 && made <= counted_to_) return false;
    if (made != 0) counted_to_ = made_last;
    return ++failures_ >= kFailures && open(false);
  }
  /// `probe_is_proof`: what failed is what a probe does, so a probe that succeeds closes it. True: it was not open.
  bool open(bool probe_is_proof) {
    const bool changed = state_ != State::open;
    if (state_ != State::trial) proof_ = probe_is_proof;
    state_ = State::open;
    trying_ = false;
    return changed;
  }
  /// A probe succeeded. True: that closed the breaker.
  bool probed() {
    if (state_ != State::open) return false;
    if (proof_) return close();
    state_ = State::trial;
    return false;
  }

 private:
  bool close() {
    failures_ = 0;
    trying_ = false;
    return std::exchange(state_, State::closed) != State::closed;
  }

  State state_ = State::closed;
  int failures_ = 0;
  std::uint64_t counted_to_ = 0;
  bool proof_ = true;
  bool trying_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
