#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace dsta::cache::testing_support {

/// Lets threads run one at a time, in an order drawn from a seed: the same seed, the same interleaving. A thread keeps
/// its turn until it yields, so what they share needs no lock.
///
/// Bounded: when the thread whose turn it is does not come back in time, all are let go (`stuck()`).
class Turns {
 public:
  explicit Turns(std::uint64_t seed) : random_(seed) {}

  /// A random number below `n`. For the thread whose turn it is.
  std::size_t below(std::size_t n) {
    const std::lock_guard lock(mutex_);
    return draw(n);
  }

  /// Joins as thread `index`, waits until `count` have, and for the first turn.
  void enter(std::size_t index, std::size_t count) {
    std::unique_lock lock(mutex_);
    if (seats_.size() < count) seats_.resize(count);
    seats_[index] = std::make_unique<Seat>();
    mine_ = seats_[index].get();
    if (++entered_ == count) pass_on();
    await_turn(lock);
  }
  /// Lets another thread, or this one again, go on.
  void yield() {
    yield_until([] { return true; });
  }
  /// Is not given the turn before `ready()`.
  void yield_until(std::function<bool()> ready) {
    std::unique_lock lock(mutex_);
    if (!mine_) return;
    mine_->ready = std::move(ready);
    pass_on();
    await_turn(lock);
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    mine_->gone = true;
    pass_on();
    mine_ = nullptr;
  }
  bool stuck() const {
    const std::lock_guard lock(mutex_);
    return stuck_;
  }

 private:
  static constexpr std::chrono::seconds kPatience{10};

  struct Seat {
    std::condition_variable wake;
    std::function<bool()> ready = [] { return true; };
    bool gone = false;
  };

  std::size_t draw(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void pass_on() {
    std::vector<Seat*> able;
    bool any = false;
    for (const auto& seat : seats_) {
      if (seat->gone) continue;
      any = true;
      if (seat->ready()) able.push_back(seat.get());
    }
    if (able.empty()) {
      if (any) let_all_go();
      return;
    }
    turn_ = able[draw(able.size())];
    if (turn_ != mine_) turn_->wake.notify_one();
  }
  void await_turn(std::unique_lock<std::mutex>& lock) {
    if (!mine_->wake.wait_for(lock, kPatience, [&] { return stuck_ || turn_ == mine_; })) let_all_go();
  }
  void let_all_go() {
    stuck_ = true;
    for (const auto& seat : seats_) {
      if (seat) seat->wake.notify_one();
    }
  }

  static inline thread_local Seat* mine_ = nullptr;

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  // Under mutex_.
  std::vector<std::unique_ptr<Seat>> seats_;
  std::size_t entered_ = 0;
  Seat* turn_ = nullptr;
  bool stuck_ = false;
};

}  // namespace dsta::cache::testing_support
