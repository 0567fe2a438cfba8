#pragma once
#include <cstdint>
#include <utility>

#include <dsta/cache/duration.hpp>

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
/// Trap: failures come in bursts. Sixty-four requests on a connection that dies are one failure, not sixty-four; and
/// those of them that ask again on the next connection have little time left, so it dies soon after, and proves nothing
/// more. So what fails within half a deadline of the last failure that counted is put down to the same stall. Three
/// failures therefore mean that nothing worked for at least a whole deadline.
class Breaker {
 public:
  enum class State : std::uint8_t { closed, open, trial };
  static constexpr int kFailures = 3;

  explicit Breaker(Duration deadline) : same_stall_(deadline / 2) {}

  State state() const { return state_; }
  /// No request can be under way now that would not be refused if it came a moment later.
  bool refuses() const { return state_ == State::open || (state_ == State::trial && trying_); }

  /// Requests failed although connecting works: none may go but one on trial, whatever connections there are.
  bool holds_back() const { return state_ != State::closed && !proof_; }

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
  /// A request failed. True: that opened the breaker.
  bool failed(TimePoint now, bool on_trial) {
    if (state_ == State::closed && failures_ != 0 && now - counted_ < same_stall_) return false;
    counted_ = now;
    return refused(on_trial);
  }
  /// The server said that it serves nobody now. That costs no time, so each time counts. True: that opened the breaker.
  bool refused(bool on_trial) {
    if (state_ == State::open) return false;
    if (state_ == State::trial) return on_trial && open(false);
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

  const Duration same_stall_;
  State state_ = State::closed;
  int failures_ = 0;
  TimePoint counted_{};
  bool proof_ = true;
  bool trying_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
