#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fault.hpp"

namespace dsta::cache::testing_support {

/// What waits to be sent in one direction, in order: each piece has the time before which it does not go, and may be
/// held by a plan until the next one. One thread.
class Outbox {
 public:
  using Clock = std::chrono::steady_clock;
  /// What follows the last byte.
  enum class End { none, finish, reset };
  struct Piece {
    std::string bytes;
    Clock::time_point due;
    std::uint64_t held_by = 0;  // the epoch of the plan, 0: not held
    End end = End::none;
  };

  /// Takes `bytes` as the fault has them go.
  void add(std::string bytes, const Fault& fault, Fault::Way way, std::uint64_t held_by) {
    if (bytes.empty()) return;
    const bool mine = fault.towards(way);
    Clock::time_point due = std::max(Clock::now(), pieces_.empty() ? Clock::time_point{} : pieces_.back().due);
    if (mine && fault.kind == Fault::Kind::delay) due = std::max(due, Clock::now() + fault.span);
    if (!mine || fault.kind != Fault::Kind::drip) {
      pieces_.push_back({std::move(bytes), due, held_by});
      return;
    }
    const std::size_t step = std::max<std::size_t>(1, fault.bytes);
    for (std::size_t at = 0; at < bytes.size(); at += step, due += fault.span) {
      pieces_.push_back({bytes.substr(at, step), due, held_by});
    }
  }
  void add_end(End end, std::uint64_t held_by) {
    pieces_.push_back({"", pieces_.empty() ? Clock::time_point{} : pieces_.back().due, held_by, end});
  }

  bool empty() const { return pieces_.empty(); }
  void clear() { pieces_.clear(); }
  Piece* ready(std::uint64_t epoch) {
    const bool is = !pieces_.empty() && pieces_.front().held_by != epoch && pieces_.front().due <= Clock::now();
    return is ? &pieces_.front() : nullptr;
  }
  /// When to look again; none while nothing waits, or only a plan holds it.
  std::optional<Clock::time_point> next_due(std::uint64_t epoch) const {
    if (pieces_.empty() || pieces_.front().held_by == epoch) return std::nullopt;
    return pieces_.front().due;
  }
  void pop() { pieces_.pop_front(); }

 private:
  std::deque<Piece> pieces_;
};

}  // namespace dsta::cache::testing_support
